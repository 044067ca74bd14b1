const PATTERN = /^#?[A-Za-z0-9_\-=@,.;*]+$/;

/** Whether a text can be a pattern of channel names, in which `*` stands for any text, also none. */
export function isChannelPattern(text: string): boolean {
  return PATTERN.test(text);
}

/**
 * Whether a pattern stands for the name of a channel; for the channels of users only if it begins with `#`. Takes the first place for each part of the pattern, so its time does not explode as that of a regular
 * expression would.
 */
export function isMatch(pattern: string, channel: string): boolean {
  if (channel.startsWith('#') && !pattern.startsWith('#')) return false;
  const [first = '', ...parts] = pattern.split('*');
  const last = parts.pop();
  if (last === undefined) return channel === pattern;
  if (channel.length < first.length + last.length || !channel.startsWith(first) || !channel.endsWith(last)) {
    return false;
  }
  const end = channel.length - last.length;
  let at = first.length;
  for (const part of parts) {
    const found = channel.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

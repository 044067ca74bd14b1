/** A channel of one app, as all nodes know it: `APP_ID:CHANNEL`. An app id contains no colon. */
export type Topic = `${string}:${string}`;

const USER_TOPIC = '#user-';

export function topicOf(appId: string, channel: string): Topic {
  return `${appId}:${channel}`;
}

/** The topic of all connections that are signed in as one user. No channel can have its name, so only a sign-in joins it. */
export function userTopicOf(appId: string, userId: string): Topic {
  return `${appId}:${USER_TOPIC}${userId}`;
}

/** The user of a topic that {@link userTopicOf} made. */
export function userOfTopic(topic: Topic): string | undefined {
  const name = channelOfTopic(topic);
  return name.startsWith(USER_TOPIC) ? name.slice(USER_TOPIC.length) : undefined;
}

/** Whether a topic concerns one user only, as all whose channel begins with `#` do. Webhooks do not report who uses it. */
export function isUserTopic(topic: Topic): boolean {
  return topic.startsWith('#', topic.indexOf(':') + 1);
}

export function appOfTopic(topic: Topic): string {
  return topic.slice(0, topic.indexOf(':'));
}

export function channelOfTopic(topic: Topic): string {
  return topic.slice(topic.indexOf(':') + 1);
}

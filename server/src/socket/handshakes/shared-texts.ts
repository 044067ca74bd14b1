/** Texts of which thousands are equal, each kept once: a connection that holds its own copy holds the request that it was cut from. */
export class SharedTexts {
  readonly #texts = new Map<string, string>();
  readonly #most: number;

  /** @param most texts to remember. Beyond it all are forgotten, because clients choose them */
  constructor(most: number) {
    this.#most = most;
  }

  /** The one text that equals this one. */
  one(text: string): string {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    if (this.#texts.size >= this.#most) this.#texts.clear();
    // Joined parts and cuts refer to what they were made from; what is decoded from bytes does not.
    const flat = Buffer.from(text).toString();
    this.#texts.set(flat, flat);
    return flat;
  }
}

/** Who is in one presence channel, as a client can tell from the frames that it receives. */
export class RosterView {
  #members: Set<string> | undefined;

  constructor(readonly channel: string) {}

  /** User ids in alphabetical order; `undefined` before the first snapshot. */
  get members(): readonly string[] | undefined {
    return this.#members && [...this.#members].sort();
  }

  /**
   * Takes in one frame; what is not about the roster changes nothing.
   *
   * @throws Error at a difference that the snapshot had already told, or that came before any snapshot
   */
  read(frame: string): void {
    const { event, channel, data } = JSON.parse(frame);
    if (channel !== this.channel) return;
    switch (event) {
      case 'pusher_internal:subscription_succeeded':
        this.#members = new Set(JSON.parse(data).presence.ids);
        break;
      case 'pusher_internal:member_added': {
        const { user_id: id } = JSON.parse(data);
        if (!this.#members || this.#members.has(id)) throw new Error(`${id} was added twice`);
        this.#members.add(id);
        break;
      }
      case 'pusher_internal:member_removed': {
        const { user_id: id } = JSON.parse(data);
        if (!this.#members?.delete(id)) throw new Error(`${id} was removed and was not there`);
      }
    }
  }
}

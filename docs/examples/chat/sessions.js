import { randomUUID } from 'node:crypto';

/** Sessions at one time; the oldest end where there are more. */
const MAX_SESSIONS = 10_000;

/**
 * Who is logged in. The cookie only names a session, so that another device can end it. A real app keeps them in its
 * database.
 */
export class Sessions {
  /** @type {Map<string, import('./rooms.js').User>} */
  #users = new Map();

  /**
   * The user who is asking.
   *
   * @param {import('express').Request} req
   */
  userOf = (req) => this.#users.get(req.session?.['id']);

  /**
   * @param {import('express').Request} req
   * @param {import('./rooms.js').User} user
   */
  begin(req, user) {
    this.end(req);
    const id = randomUUID();
    this.#users.set(id, user);
    for (const oldest of this.#users.keys()) {
      if (this.#users.size <= MAX_SESSIONS) break;
      this.#users.delete(oldest);
    }
    req.session = { id };
  }

  /**
   * Ends the session of this request.
   *
   * @param {import('express').Request} req
   */
  end(req) {
    this.#users.delete(req.session?.['id']);
    req.session = null;
  }

  /**
   * Ends all sessions of a user.
   *
   * @param {string} userId
   */
  endAll(userId) {
    for (const [id, user] of this.#users) if (user.id === userId) this.#users.delete(id);
  }
}

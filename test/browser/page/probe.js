/** In the page: what a test has done here, and what is heard. Every event is kept, so that none comes too early. */
globalThis.probe = (() => {
  const heard = [];
  const waiting = new Set();
  const sockets = [];
  let Countersign;
  let encryption;
  let client;

  function hear(source, event, data) {
    heard.push({ source, event, data, isHonest: isHonest() });
    for (const look of waiting) look();
  }

  const listen = (source, emitter) =>
    emitter.bind_global((event, data) =>
      // Members are an object with methods, which does not travel to the test.
      hear(source, event, data?.each ? { count: data.count, me: data.me } : data),
    );

  /** Whether a state that claims a socket has one. */
  function isHonest() {
    return client?.connection.state !== 'connected' || sockets.at(-1)?.readyState === WebSocket.OPEN;
  }

  class WatchedSocket extends WebSocket {
    constructor(url) {
      super(url);
      sockets.push(this);
      // Later, for the client's own listener comes after this one.
      this.addEventListener('close', () => setTimeout(() => hear('socket', 'close')));
    }
  }

  document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
    hear('page', 'violation', `${violatedDirective} ${blockedURI}`),
  );
  addEventListener('pageshow', ({ persisted }) => persisted && hear('page', 'kept'));
  document.addEventListener('visibilitychange', () => hear('page', document.visibilityState));
  for (const event of ['online', 'offline']) addEventListener(event, () => hear('page', event));
  for (const event of ['freeze', 'resume']) document.addEventListener(event, () => hear('page', event));

  return {
    heard,
    use(published, cipher) {
      Countersign = published;
      encryption = cipher;
      hear('page', 'ready');
    },
    connect(key, options) {
      client = new Countersign(key, { ...options, encryption, WebSocket: WatchedSocket });
      globalThis.client = client;
      listen('connection', client.connection);
      listen('client', client);
      listen('user', client.user);
    },
    subscribe(names) {
      for (const name of names) listen(name, client.subscribe(name));
    },
    trigger: (name, event, data) => client.channel(name).trigger(event, data),
    signin: () => client.signin(),
    /** What becomes of the subscription: nothing, or the code of its refusal. */
    ready: (name) =>
      client.channel(name).ready.then(
        () => null,
        ({ code }) => code,
      ),
    state: () => client.connection.state,
    socketId: () => client.connection.socket_id,
    members: (name) => client.channel(name).members.count,
    /** The first event like this that nobody has taken yet. */
    next: (source, event) =>
      new Promise((resolve) => {
        const look = () => {
          const found = heard.find((one) => one.source === source && one.event === event && !one.isTaken);
          if (!found) return;
          found.isTaken = true;
          waiting.delete(look);
          resolve(found.data);
        };
        waiting.add(look);
        look();
      }),
    /** Forgets what has been heard, so that the next event is a new one. */
    forget() {
      for (const one of heard) one.isTaken = true;
    },
  };
})();

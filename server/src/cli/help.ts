/** What `countersign --help` prints. */
export const HELP = `Usage: countersign <command> [options]

  start    Run the broker.
             --config FILE   JSON file; COUNTERSIGN_CONFIG names it too
             --host ADDRESS  overrides the file
             --port NUMBER   overrides the file
             --workers N     processes that share the port, or auto for one per core
  dev      Run a broker with one development app on loopback, and a page to try it.
             --port NUMBER   default 6001
             --secret TEXT   instead of a new one at each start; COUNTERSIGN_DEV_SECRET gives it too
  config   Show the configuration that start would run with, secrets masked.
             --print  --config FILE  --host ADDRESS  --port NUMBER
  audit    Check that an audit log is complete and unchanged; exit code 1 names the first line that is not.
             verify DIR  --key FILE  DIR is the data directory, FILE the key that signed checkpoints
  webhooks Look after the webhooks of a running broker. Prints its answer as JSON.
             ls                            each webhook and how it stands
             show HOOK [--state STATE]     its deliveries: pending (default), failing or dead
             retry HOOK DELIVERY...        send again; also --state STATE, all in that state
             skip HOOK DELIVERY...         give up; also --state STATE
             pause HOOK, resume HOOK       keep its deliveries, and go on
             test HOOK                     send it an event named test
             --config FILE  --app ID  --url URL  --cursor N  --limit N

  --help, --version

Each setting can also be given by the environment, such as COUNTERSIGN_LOG__LEVEL=debug.
Signals: SIGTERM and SIGINT stop gracefully, a second one at once; SIGHUP reloads the apps and
certificates; SIGUSR2 also replaces all workers, one after the other.
`;

/** `countersign dev`: a broker with one app on the loopback, and a page to try it. */
import type { Command } from 'commander';
import { loadConfig } from '../../config/load.ts';
import { refuseGuessable } from '../../config/secrets.ts';
import { createLog } from '../../log/log.ts';
import { createServer } from '../../server.ts';
import { devApp, devConfig, refuseOtherThanDev } from '../dev/app.ts';
import { devRoutes } from '../dev/dev.ts';
import { devGuide } from '../dev/guide.ts';
import { print } from '../output.ts';
import { Stop } from '../stop.ts';

/** The variable that gives the app its secret. */
const DEV_SECRET = 'COUNTERSIGN_DEV_SECRET';

interface Options {
  readonly host?: string;
  readonly port?: string;
  readonly secret?: string;
}

export function addDev(program: Command): void {
  program
    .command('dev')
    .description('Run a broker on loopback with one app, and a page to try it.')
    .option('--host <address>', 'only 127.0.0.1 is taken')
    .option('--port <number>', 'default 6001')
    .option('--secret <text>', `instead of a new one at each start; ${DEV_SECRET} gives it too`)
    .addHelpText('after', '\nExample:\n  $ countersign dev --port 7001')
    .action(dev);
}

async function dev(flags: Options): Promise<void> {
  const { [DEV_SECRET]: secretOfEnvironment, ...env } = process.env;
  const app = devApp(flags.secret ?? secretOfEnvironment);
  const config = await loadConfig({ base: devConfig(app), env, flags });
  refuseOtherThanDev(config, app);
  refuseGuessable(config);
  const log = createLog(config.log);
  const stop = new Stop(log);
  const starting = createServer(config, {
    log,
    localOnly: true,
    routes: devRoutes(app),
    console: { open: true },
  });
  stop.drains(starting, config.drainTimeoutSeconds);
  stop.onSignals();
  print(devGuide((await starting).url, app).trimEnd());
}

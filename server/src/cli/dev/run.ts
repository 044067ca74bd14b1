import { loadConfig } from '../../config/load.ts';
import { refuseGuessable } from '../../config/secrets.ts';
import { createLog } from '../../log/log.ts';
import { createServer } from '../../server.ts';
import { print } from '../output.ts';
import { Stop } from '../stop.ts';
import { devApp, devConfig, refuseOtherThanDev } from './app.ts';
import { devRoutes } from './dev.ts';
import { devGuide } from './guide.ts';

/** The variable that gives the app its secret. */
const DEV_SECRET = 'COUNTERSIGN_DEV_SECRET';

export interface DevFlags {
  readonly host?: string;
  readonly port?: string;
  readonly secret?: string;
}

/** Runs the broker of `countersign dev`. */
export async function runDev(flags: DevFlags): Promise<void> {
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

/** The certificate of one section of the configuration, read again when its files change. */
import { stat } from 'node:fs/promises';
import type { Logger } from 'pino';
import { type Pem, type PemFiles, readPem, type TlsSection } from './pem-files.ts';

/** Milliseconds between two checks of the files. They are checked by path, so that a changed link counts as a change. */
const LOOK_MS = 1000;
const DAY_MS = 86_400_000;
/** Days before its end from which the log warns once a day. */
const WARNING_DAYS = 14;

export class Certificate {
  readonly section: TlsSection;
  readonly #files: PemFiles;
  readonly #log: Logger;
  readonly #timers: readonly NodeJS.Timeout[];
  #pem: Pem;
  /** The state of the files when they were last read. */
  #read: string;
  /** The state of the files at the last check. */
  #seen: string;
  #reading: Promise<void> = Promise.resolve();
  #onChange: (pem: Pem) => void = () => {};

  private constructor(section: TlsSection, files: PemFiles, log: Logger, pem: Pem, seen: string) {
    this.section = section;
    this.#files = files;
    this.#log = log;
    this.#pem = pem;
    this.#read = seen;
    this.#seen = seen;
    this.#warn();
    this.#timers = [
      setInterval(() => this.#look(), LOOK_MS).unref(),
      setInterval(() => this.#warn(), DAY_MS).unref(),
    ];
  }

  /** @throws ConfigError that names the setting and the file that cannot be used */
  static async open(section: TlsSection, files: PemFiles, log: Logger): Promise<Certificate> {
    // Checked before they are read: a change in between is read the next time.
    const seen = await lookAt(files);
    return new Certificate(section, files, log, await readPem(section, files), seen);
  }

  get pem(): Pem {
    return this.#pem;
  }

  /** When it ends, in Unix milliseconds; `undefined`: there are only authorities. */
  get expiresAt(): number | undefined {
    return this.#pem.expiresAt;
  }

  /** Called with each new certificate. */
  onChange(listener: (pem: Pem) => void): void {
    this.#onChange = listener;
  }

  /** Reads the files again. Files that cannot be used change nothing. */
  reload(): Promise<void> {
    this.#reading = this.#reading.then(() => this.#reload());
    return this.#reading;
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** Files that are replaced one after the other are read when none has changed since the last check. */
  async #look(): Promise<void> {
    const now = await lookAt(this.#files);
    const isStill = now === this.#seen;
    this.#seen = now;
    if (isStill && now !== this.#read) await this.reload();
  }

  async #reload(): Promise<void> {
    const { section } = this;
    this.#read = await lookAt(this.#files);
    try {
      const pem = await readPem(section, this.#files);
      const isNew = !isEqual(pem, this.#pem);
      this.#pem = pem;
      this.#warn();
      if (!isNew) return;
      this.#onChange(pem);
      this.#log.info({ section, expiresAt: dateOf(pem.expiresAt) }, 'certificate reloaded');
    } catch (error) {
      this.#log.error({ err: error, section }, 'certificate not reloaded, the previous one stays in use');
    }
  }

  #warn(): void {
    const { expiresAt } = this.#pem;
    if (expiresAt === undefined) return;
    const days = Math.floor((expiresAt - Date.now()) / DAY_MS);
    if (days >= WARNING_DAYS) return;
    const fields = { section: this.section, file: this.#files.cert, expiresAt: dateOf(expiresAt), days };
    if (days < 0) this.#log.error(fields, 'certificate has expired');
    else this.#log.warn(fields, 'certificate expires soon');
  }
}

/** A text that changes with each of the files, also behind links. */
async function lookAt({ ca, cert, key }: PemFiles): Promise<string> {
  const look = async (file: string | undefined): Promise<string> => {
    if (file === undefined) return '';
    try {
      const { dev, ino, size, mtimeNs } = await stat(file, { bigint: true });
      return [dev, ino, size, mtimeNs].join(':');
    } catch {
      return 'missing';
    }
  };
  return (await Promise.all([ca, cert, key].map(look))).join(' ');
}

function isEqual(one: Pem, other: Pem): boolean {
  return (['ca', 'cert', 'key'] as const).every((name) => {
    const [a, b] = [one[name], other[name]];
    return a === undefined || b === undefined ? a === b : a.equals(b);
  });
}

function dateOf(time: number | undefined): string | undefined {
  return time === undefined ? undefined : new Date(time).toISOString();
}

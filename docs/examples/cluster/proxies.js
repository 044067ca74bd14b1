import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * @typedef {object} Place
 * @property {string} port of the service
 * @property {readonly [string, string]} brokers their ports
 * @property {string} folder where the proxy may write
 *
 * How a proxy is started.
 * @typedef {{ readonly args: readonly string[], readonly env: Readonly<Record<string, string>> }} Start
 */

/** The proxies that can stand in front of the brokers, by their command. @type {Record<string, (place: Place) => Start>} */
export const proxies = {
  haproxy: ({ port, brokers: [a, b] }) => ({
    args: ['-db', '-f', beside('haproxy.cfg')],
    env: { CLUSTER_PORT: port, CLUSTER_PORT_A: a, CLUSTER_PORT_B: b },
  }),
  nginx: (place) => {
    writeFileSync(join(place.folder, 'nginx.conf'), nginxConf(place));
    return { args: ['-e', 'stderr', '-p', place.folder, '-c', 'nginx.conf'], env: {} };
  },
};

/** What a system usually has around our part: here with one process, which writes into its folder only. @param {Place} place */
function nginxConf({ port, brokers: [a, b] }) {
  // nginx reads no environment.
  const part = readFileSync(beside('nginx.conf'), 'utf8')
    .replace(':8080', `:${port}`)
    .replace(':6001', `:${a}`)
    .replace(':6002', `:${b}`);
  const kept = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `
    daemon off;
    master_process off;
    pid nginx.pid;
    error_log stderr;
    events {}
    http {
      access_log off;
      ${kept.map((what) => `${what}_temp_path ${what};`).join(' ')}
      ${part}
    }`;
}

/** @param {string} name of a file in this folder */
function beside(name) {
  return fileURLToPath(new URL(name, import.meta.url));
}

import { expect, test } from 'vitest';
import { publish } from '../helpers/api.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { recordLog } from '../helpers/log.ts';

test('the slowest reader is closed first when all buffers together are too large', async () => {
  const { log, lines } = recordLog();
  const config = { maxBufferedBytes: 100_000_000, maxBufferedTotalBytes: 1_048_576 };
  const broker = await startServer({ limits: { eventDataBytes: 60_000 }, config, parts: { log } });
  const [slower, slow, reader] = [await connect(broker), await connect(broker), await connect(broker)];
  await slower.join('news');
  await slower.join('more');
  await slow.join('news');
  await reader.join('news');
  slower.socket.pause();
  slow.socket.pause();
  const reached = () => lines.filter(({ msg, type }) => msg === 'bound reached' && type === 'buffered_bytes');
  for (let count = 0; reached().length === 0; count += 1) {
    if (count === 2000) throw new Error('All of it found room in some buffer');
    await publish(broker, 'more', 'a', 'x'.repeat(59_000));
    await publish(broker, 'news', 'a', 'x'.repeat(59_000));
  }
  expect(reached()[0]).toMatchObject({ socketId: slower.socketId });
  expect(reader.socket.readyState).toBe(reader.socket.OPEN);
});

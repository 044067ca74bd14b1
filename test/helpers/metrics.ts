/**
 * The samples that a broker tells, each under its name and labels as they stand there.
 *
 * @throws Error if it does not answer with 200
 */
export async function readSamples(url: string, token?: string): Promise<ReadonlyMap<string, number>> {
  const response = await fetch(
    url,
    token === undefined ? {} : { headers: { Authorization: `Bearer ${token}` } },
  );
  if (response.status !== 200) throw new Error(`${url} answered ${response.status}`);
  const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const end = line.lastIndexOf(' ');
      return [line.slice(0, end), Number(line.slice(end + 1))] as const;
    }),
  );
}

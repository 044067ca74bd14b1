/** Makes the steps, one after the other. */
import { authBody, authCookies, authCors, authPreflight, authSignature, authStatus } from './auth.ts';
import {
  type Finding,
  reasonOf,
  type Step,
  type StepName,
  skipped,
  stepNames,
  type Target,
} from './examination.ts';
import { clock, dns, pathPrefix, ready, tls } from './network.ts';
import { echo, fallbacks, idle, origin, signedRequest, subscribe, upgrade } from './socket.ts';

export type Examined = { readonly step: StepName } & Finding;

/** Each comes after those that it needs. */
const STEPS: readonly Step[] = [
  dns,
  tls,
  ready,
  pathPrefix,
  upgrade,
  idle,
  origin,
  clock,
  signedRequest,
  subscribe,
  echo,
  fallbacks,
  authStatus,
  authPreflight,
  authCors,
  authCookies,
  authBody,
  authSignature,
];

/** @returns what was found, in the order of {@link stepNames} */
export async function examine(target: Target): Promise<readonly Examined[]> {
  const found = new Map<StepName, Finding>();
  /** Steps that are wrong, or were not made because of one that is. */
  const failed = new Set<StepName>();
  for (const step of STEPS) {
    const cause = step.needs.find((name) => failed.has(name));
    const finding = cause === undefined ? await examined(step, target) : skipped(`not before ${cause}`);
    if (cause !== undefined || finding.status === 'wrong') failed.add(step.name);
    found.set(step.name, finding);
  }
  return stepNames.flatMap((step) => {
    const finding = found.get(step);
    return finding ? [{ step, ...finding }] : [];
  });
}

async function examined(step: Step, target: Target): Promise<Finding> {
  try {
    return await step.examine(target);
  } catch (error) {
    return {
      status: 'wrong',
      detail: reasonOf(error),
      cure: 'The log of the broker, and that of the proxy, may say more: see docs/errors.md#where-a-refusal-appears',
    };
  }
}

/** Makes the steps, one after the other. */
import { authBody, authCookies, authCors, authPreflight, authSignature, authStatus } from './auth.ts';
import {
  type Finding,
  type Patient,
  reasonOf,
  type Step,
  type StepName,
  skipped,
  stepNames,
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
export async function examine(patient: Patient): Promise<readonly Examined[]> {
  const found = new Map<StepName, Finding>();
  for (const step of STEPS) {
    const fault = step.needs.find(
      (name) => found.get(name)?.status === 'wrong' || isPointless(found.get(name)),
    );
    found.set(
      step.name,
      fault === undefined ? await examined(step, patient) : skipped(`${POINTLESS} ${fault}`),
    );
  }
  return stepNames.flatMap((step) => {
    const finding = found.get(step);
    return finding ? [{ step, ...finding }] : [];
  });
}

const POINTLESS = 'not before';

function isPointless(finding: Finding | undefined): boolean {
  return finding?.status === 'skipped' && finding.detail.startsWith(POINTLESS);
}

async function examined(step: Step, patient: Patient): Promise<Finding> {
  try {
    return await step.examine(patient);
  } catch (error) {
    return {
      status: 'wrong',
      detail: reasonOf(error),
      cure: 'The log of the broker, and that of the proxy, may say more: see docs/errors.md#where-a-refusal-appears',
    };
  }
}

import { type AuditType, auditTypes } from '../../audit/record.ts';
import { ApiError } from '../../errors.ts';
import type { Query } from '../../http/query.ts';
import type { Endpoint } from '../endpoint.ts';
import { readLimit } from '../requests/page.ts';
import { auditAnswer } from './answer-schemas.ts';

/** `GET audit`: what was recorded about the app, the oldest first. */
export const findAuditRecords: Endpoint = {
  method: 'GET',
  path: 'audit',
  publishes: false,
  scope: 'audit',
  answer: auditAnswer,
  async run({ app, query, audit }) {
    if (!audit)
      throw new ApiError(
        404,
        'audit_off',
        'The audit log is off: set audit.enabled in the configuration of the broker',
      );
    const page = await audit.find({
      app: app.id,
      type: readType(query.get('type')),
      userId: query.get('user_id'),
      channel: query.get('channel'),
      grantId: query.get('grant_id'),
      from: readSeconds(query, 'from'),
      to: readSeconds(query, 'to'),
      limit: readLimit(query),
      cursor: query.get('cursor'),
    });
    if (page) return page;
    throw new ApiError(
      400,
      'invalid_parameter',
      '"cursor" has another form than the answer to an earlier request gave',
    );
  },
};

function readType(text: string | undefined): AuditType | undefined {
  if (text === undefined) return undefined;
  const type = auditTypes.find((each) => each === text);
  if (type) return type;
  throw new ApiError(
    400,
    'invalid_parameter',
    `"type" is "${text.slice(0, 40)}": expected one of ${auditTypes.join(', ')}`,
  );
}

/** @returns Unix milliseconds */
function readSeconds(query: Query, name: 'from' | 'to'): number | undefined {
  const text = query.get(name);
  if (text === undefined) return undefined;
  if (/^\d{1,12}$/.test(text)) return Number(text) * 1000;
  throw new ApiError(
    400,
    'invalid_parameter',
    `"${name}" is "${text.slice(0, 20)}": expected whole Unix seconds`,
  );
}

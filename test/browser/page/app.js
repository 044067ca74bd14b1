import './probe.js';
import { Countersign } from '@countersign/sdk-client';
import { encryption } from '@countersign/sdk-client/encrypted';

probe.use(Countersign, encryption);

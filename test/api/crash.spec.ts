// The server is killed without warning while it works. TEST_KILLS says how often.
import { losesNothing } from '../support/crash-rig.js';

losesNothing({ count: Number(process.env['TEST_KILLS'] ?? 50), what: 'kills' });

// The server is killed without warning while it works. TEST_KILLS says how often.
import { losesNothing } from '../support/loses-nothing.js';

losesNothing('kills', { count: Number(process.env['TEST_KILLS'] ?? 20) });

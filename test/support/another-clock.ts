// Loaded in front of a server by a test: its wall clock goes wrong by ANOTHER_CLOCK_MS, or by as much as a file says by
// then, or stands still with `frozen`.
import { readFileSync } from 'node:fs';

const setting = process.env['ANOTHER_CLOCK_MS'] ?? '0';
const realNow = Date.now.bind(Date);
const startedAt = realNow();
const wrongBy = () => Number(setting.startsWith('/') ? readFileSync(setting, 'utf8') : setting);
Date.now = () => (setting === 'frozen' ? startedAt : realNow() + wrongBy());

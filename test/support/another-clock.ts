// Loaded in front of a server by a test: its wall clock goes wrong by ANOTHER_CLOCK_MS, or stands still with `frozen`.
const setting = process.env['ANOTHER_CLOCK_MS'] ?? '0';
const realNow = Date.now.bind(Date);
const startedAt = realNow();
Date.now = () => (setting === 'frozen' ? startedAt : realNow() + Number(setting));

// A program of its own: a log in SQLite as bare as can be, which says of each row that it was committed. The rig of
// power losses runs it to show what its disk takes from a log that waits for it, and from one that does not.
import Database from 'better-sqlite3';

const [, , path = '', synchronous = ''] = process.argv;
const database = new Database(path);
database.pragma('journal_mode = WAL');
database.exec('CREATE TABLE IF NOT EXISTS rows (number INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT');
// The driver goes back to its own setting with the first write.
database.pragma(`synchronous = ${synchronous}`);
const insert = database.prepare('INSERT INTO rows (text) VALUES (?)');
for (;;) {
  const { lastInsertRowid } = insert.run('x'.repeat(200));
  process.stdout.write(`${lastInsertRowid}\n`);
}

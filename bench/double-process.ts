// The double of EventStoreDB in a process of its own, so that it does not share the event loop of what is measured. It
// keeps its log in memory: what is measured over it is the adapter and the way there, never a disk.
import { EventStoreDouble } from '../test/support/event-store-double.js';
import { answerOneTask } from './one-task.js';

answerOneTask(async () => (await EventStoreDouble.start()).url);

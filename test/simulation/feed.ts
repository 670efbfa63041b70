// One subscription of one server: it brings the events of the log in their order, each once, in batches of any size and
// whenever it likes. It may break, which it says, or fall silent, which it does not say.
import type { Position, StoredEvent, Subscriber, Subscription } from '../../src/store/event-store.js';
import type { Connection } from './connection.js';

const BATCH_MAX = 8;

export class Feed implements Subscription {
  private position: Position;
  /** A batch is on its way. */
  private isComing = false;
  private isBusy = false;
  private isSilent = false;
  private isClosing = false;
  private hasEnded = false;
  private closed: () => void = () => undefined;
  private readonly stopListening: () => void;

  constructor(
    private readonly connection: Connection,
    private readonly subscriber: Subscriber,
    private readonly leave: () => void,
  ) {
    this.position = subscriber.after;
    this.stopListening = connection.log.onWrite(() => this.wake());
    this.wake();
  }

  /** What is on its way may still arrive before the promise is kept. */
  close(): Promise<void> {
    this.isClosing = true;
    if (!this.isComing) this.end();
    return this.hasEnded ? Promise.resolve() : new Promise((resolve) => (this.closed = resolve));
  }

  end(): void {
    this.hasEnded = true;
    this.stopListening();
    this.leave();
    this.closed();
  }

  /** All up to this position at once, for somebody who is told of an append of its own, if it had kept up. */
  takeUpTo(position: Position): void {
    if (this.hasEnded || this.isBusy || this.isSilent || this.isClosing) return;
    const events = this.connection.log.after(this.position).filter((event) => event.position <= position);
    const [first] = events;
    if (first !== undefined && events.every(({ meta }) => meta === first.meta)) this.hand(events);
  }

  private wake(): void {
    const { time, fate, log } = this.connection;
    if (this.isComing || this.isBusy || this.isSilent || this.hasEnded || this.isClosing) return;
    if (log.head <= this.position) return;
    this.isComing = true;
    time.after(fate.delay(), () => this.arrive());
  }

  private arrive(): void {
    this.isComing = false;
    if (this.hasEnded) return;
    const { fate, log } = this.connection;
    const what = fate.ofDelivery();
    if (this.isClosing || what === 'broken') {
      if (what === 'delivered' && !this.isBusy) this.hand(log.after(this.position, BATCH_MAX));
      this.end();
      if (!this.isClosing) this.subscriber.onError(new Error('The log has hung up'));
    } else if (what === 'silent') this.isSilent = true;
    else if (!this.isBusy) this.hand(log.after(this.position, 1 + fate.random.below(BATCH_MAX)));
  }

  private hand(events: readonly StoredEvent[]): void {
    const last = events.at(-1);
    if (last === undefined) return;
    this.position = last.position;
    const taken: unknown = this.subscriber.onEvents(events.map((event) => this.connection.seen(event)));
    if (!(taken instanceof Promise)) return this.wake();
    this.isBusy = true;
    void taken.then(() => {
      this.isBusy = false;
      this.wake();
    });
  }
}

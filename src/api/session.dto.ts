// What callers may send to sign in, and what is answered to somebody who signs out or is forgotten.
import { Matches } from 'class-validator';

export class SignInBody {
  /** A key of the workspace. It is not kept; whoever signs in acts as this key until its session ends. */
  @Matches(/^[\x21-\x7e]{1,512}$/, { message: 'key must be 1 to 512 visible ASCII characters' })
  key: string;
}

export class SessionAnswer {
  id: string;
  createdAt: string;
  expiresAt: string;
  /** Whether the request came with it. */
  isThis: boolean;
}

export class SessionsAnswer {
  items: SessionAnswer[];
}

export class SignedOutAnswer {
  position: string;
}

export class PersonErasedAnswer {
  id: string;
  position: string;
}

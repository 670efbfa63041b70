// What callers may send about projects and workspaces alike.
import { isSlug, slugFrom } from '../domain/naming.js';
import { Problem } from './problem.js';
import { IfGiven, IsName, IsSlug } from './validation.js';

export class CreatePlaceBody {
  @IsName()
  name: string;

  /** Derived from the name unless given. */
  @IfGiven()
  @IsSlug()
  slug?: string;
}

export class RenameWorkspaceBody {
  @IsName()
  name: string;
}

/** Throws `invalid-body` where no slug is given and nothing can be made of the name. */
export function placeOf({ name: given, slug }: CreatePlaceBody): {
  readonly slug: string;
  readonly name: string;
} {
  const name = given.normalize('NFC');
  const chosen = slug ?? slugFrom(name);
  if (isSlug(chosen)) return { slug: chosen, name };
  const errors = [{ pointer: '/slug', detail: 'no slug can be derived from the name; give one' }];
  throw new Problem('invalid-body', 'A slug is needed; see errors.', errors);
}

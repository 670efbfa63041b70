// What a key may do, as people write and read it: ROLE for the whole workspace, ROLE@PROJECTS for projects, and
// ROLE@PROJECTS/ENVIRONMENTS for some of their environments; several with commas, * for all projects.
import { InvalidArgumentError } from 'commander';
import { ROLES, type Grant, type Role } from '../src/domain/access.events.js';

export const GRANT_HELP = [
  '\nGrants: ROLE, ROLE@PROJECTS or ROLE@PROJECTS/ENVIRONMENTS, by slug or id.',
  `  Roles: ${ROLES.join(', ')}.`,
  '  viewer                          everything in the workspace, to read',
  '  editor@shop,blog                two projects, with all environments that they have or will have',
  '  promoter@shop/production        one environment: a target of promotions. Their source takes viewer',
  '  resolver@*/staging,production   these environments of all projects',
].join('\n');

/** Throws `InvalidArgumentError`. What the role, the projects and the environments are is for the server to say. */
export function grantFrom(text: string): Grant {
  const [, role = '', projects, environments] = /^([^@]+)(?:@([^/]+)(?:\/(.+))?)?$/.exec(text) ?? [];
  if (!isRole(role)) throw new InvalidArgumentError(`A grant begins with a role: ${ROLES.join(', ')}.`);
  return {
    role,
    ...(projects !== undefined && projects !== '*' && { projects: names(projects) }),
    ...(environments !== undefined && { environments: names(environments) }),
  };
}

/** For an option that may be repeated. */
export function grantsFrom(text: string, before: readonly Grant[] = []): readonly Grant[] {
  return [...before, grantFrom(text)];
}

export function grantText({ role, projects, environments }: Grant): string {
  if (projects === undefined && environments === undefined) return role;
  const where = projects?.join(',') ?? '*';
  return `${role}@${where}${environments === undefined ? '' : `/${environments.join(',')}`}`;
}

function names(text: string): readonly string[] {
  const all = text.split(',');
  if (all.every((name) => name !== '')) return all;
  throw new InvalidArgumentError('Names are separated by single commas.');
}

function isRole(text: string): text is Role {
  return (ROLES as readonly string[]).includes(text);
}

// A slug belongs to one workspace, project or flow for ever. Each reservation has a stream of its own, named after
// the slug, so that creations at the same moment, even on several servers, agree on one id.

export interface WorkspaceSlugReserved {
  readonly type: 'WorkspaceSlugReserved';
  readonly slug: string;
  readonly workspaceId: string;
}

export interface ProjectSlugReserved {
  readonly type: 'ProjectSlugReserved';
  readonly slug: string;
  readonly projectId: string;
}

export interface FlowSlugReserved {
  readonly type: 'FlowSlugReserved';
  readonly slug: string;
  readonly flowId: string;
}

export type SlugReserved = WorkspaceSlugReserved | ProjectSlugReserved | FlowSlugReserved;

/** Every endpoint of the sandbox. A new family is a file with its `Route`s and one line here. */
import { activityRoutes } from './activity-routes.js';
import { childRoutes } from './child-routes.js';
import { leadRoutes } from './lead-routes.js';
import type { Route } from './route.js';
import { settingsRoutes } from './settings-routes.js';

export function allRoutes(): Route[] {
  return [...leadRoutes(), ...activityRoutes(), ...childRoutes(), ...settingsRoutes()];
}

export interface FoundRoute {
  readonly route: Route;
  readonly id: string;
}

/** Finds routes by path; a fixed path wins over one with `{id}`. */
export class RouteFinder {
  private readonly fixed = new Map<string, Route[]>();
  private readonly byPrefix = new Map<string, Route[]>();

  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      const isItem = route.pattern.endsWith('{id}/');
      const [map, key] = isItem
        ? [this.byPrefix, route.pattern.slice(0, -'{id}/'.length)]
        : [this.fixed, route.pattern];
      map.set(key, [...(map.get(key) ?? []), route]);
    }
  }

  /** The routes at a path, one for each method. */
  at(path: string): FoundRoute[] {
    const fixed = this.fixed.get(path);
    if (fixed) return fixed.map((route) => ({ route, id: '' }));
    const cut = path.lastIndexOf('/', path.length - 2) + 1;
    const id = path.slice(cut, -1);
    return (this.byPrefix.get(path.slice(0, cut)) ?? []).map((route) => ({ route, id }));
  }
}

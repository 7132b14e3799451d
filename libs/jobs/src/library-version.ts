/** That of package.json. @internal */
export const LIBRARY_VERSION = '0.1.0';

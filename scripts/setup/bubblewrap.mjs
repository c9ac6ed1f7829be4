import { findOnPath, run } from './command.mjs';

/** bubblewrap: the only thing set-up installs outside the checkout, and only for root on a Debian-like system. Never fails. */
export function bubblewrap() {
  return {
    name: 'bubblewrap',
    check: async () => (process.platform !== 'linux' || findOnPath('bwrap') !== null || !mayInstall() ? '' : null),
    install: async (report) => {
      report.working('bubblewrap', 'apt-get install bubblewrap: the one thing that goes outside this folder');
      const env = { DEBIAN_FRONTEND: 'noninteractive' };
      const install = () => run('apt-get', ['install', '-y', '--no-install-recommends', 'bubblewrap'], { env });
      let result = await install();
      if (result.code !== 0) {
        await run('apt-get', ['update'], { env });
        result = await install();
      }
      if (result.code !== 0) report.note('bubblewrap', `could not be installed (${result.tail}); nl2code doctor says what that means`);
      return '';
    },
  };
}

const mayInstall = () => process.getuid?.() === 0 && findOnPath('apt-get') !== null;

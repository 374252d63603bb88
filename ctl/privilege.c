/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See privilege.h. */
#include "privilege.h"

#include <cap-ng.h>
#include <pwd.h>
#include <sys/prctl.h>

enum { NOBODY = 65534 };			/* the kernel's overflow uid, if no user has the name */

/* Root in a container or a unit may lack what changing its user takes: then it stays, without rights. */
static bool can_change_user(void)
{
	return geteuid() == 0 && capng_get_caps_process() == 0 &&
	       capng_have_capability(CAPNG_EFFECTIVE, CAP_SETUID) &&
	       capng_have_capability(CAPNG_EFFECTIVE, CAP_SETGID);
}

int privilege_drop(const struct ctl *ctl)
{
	const struct passwd *nobody = getpwnam("nobody");
	bool to_nobody = can_change_user();
	int r;

	capng_clear(CAPNG_SELECT_BOTH);
	if (to_nobody)
		r = capng_change_id(nobody ? (int)nobody->pw_uid : NOBODY,
				    nobody ? (int)nobody->pw_gid : NOBODY, CAPNG_DROP_SUPP_GRP);
	else
		r = capng_apply(CAPNG_SELECT_CAPS);
	if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = -errno;
	if (r == 0 && (capng_get_caps_process() < 0 ||
		       capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE))
		r = -EPERM;
	if (r == 0)
		return CTL_DONE;
	ctl_complain(ctl, "cannot give up privileges (libcap-ng: %d): nothing is read", r);
	return CTL_REFUSED;
}

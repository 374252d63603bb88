/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verbs against an agent that says what is written here: exit code, text, JSON, what was asked. */
#include "ctl_support.h"

#define REPLY(p)	"{\"parameters\":" p "}\n"
#define MORE(p)		"{\"parameters\":" p ",\"continues\":true}\n"
#define ERROR(e, p)	"{\"error\":\"org.outbind." e "\",\"parameters\":" p "}\n"
#define CALL(m, p)	"{\"method\":\"org.outbind." m "\",\"parameters\":" p "}"
#define STREAM(m, p)	"{\"method\":\"org.outbind." m "\",\"parameters\":" p ",\"more\":true}"

#define ACME "{\"name\":\"acme\",\"mark\":1,\"addresses\":[\"192.0.2.11\",\"2001:db8::11\"],\"ehlo\":\"mx.acme.example\"," \
	"\"interface\":null,\"unusable\":\"reject\",\"usable\":{\"ipv4\":{\"usable\":true,\"reason\":\"usable\"}," \
	"\"ipv6\":{\"usable\":false,\"reason\":\"address is not on this host\"}},\"suspended\":false,\"rules\":3," \
	"\"allow\":[\"user mail\"],\"place\":\"o.conf:3:9\"}"
#define BETA "{\"name\":\"beta\",\"mark\":30,\"addresses\":[],\"usable\":{},\"suspended\":true,\"rules\":0}"
#define LOOKUP(agree) "{\"set\":\"usable4\",\"key\":\"0x1\",\"plan\":\"yes\",\"kernel\":null,\"agree\":" agree "}"
#define RULE "{\"client\":\"user www-data\",\"to\":\"port 25\",\"action\":\"use acme\",\"place\":\"o.conf:9:5\"}"

#define SOUND(n) "{\"kind\":\"binding\",\"name\":\"" n "\",\"family\":\"ipv4\",\"state\":\"usable\"," \
	"\"reason\":\"usable\",\"for_ms\":18000001}"
#define SICK(n) "{\"kind\":\"binding\",\"name\":\"" n "\",\"family\":\"ipv6\",\"state\":\"unusable\"," \
	"\"reason\":\"link eth1 is down\",\"for_ms\":120000}"
#define FOUND(s, about, remedy) "{\"severity\":\"" s "\",\"about\":\"" about "\",\"text\":\"what\",\"evidence\":" \
	"\"where\",\"remedy\":" remedy "}"
#define HEARD(e, f, d) "{\"time\":\"2026-11-22T12:00:00.000Z\",\"event\":\"" e "\",\"severity\":\"notice\",\"fields\":[" f "],\"dropped\":" d "}"
#define FIELD	"{\"name\":\"name\",\"value\":\"acme\"},{\"name\":\"reason\",\"value\":\"a b\"}"

static const struct {
	const char *what, *line, *replies;
	int status;
	const char *out, *err;
	const char *call;			/* NULL: not looked at */
} runs[] = {
	{ "list", "binding list",
	  MORE("{\"bindings\":[" ACME "]}") REPLY("{\"bindings\":[" BETA "]}"), 0,
	  "NAME  MARK  STATE          RULES  ADDRESSES\n"
	  "acme   0x1  IPv6 unusable      3  192.0.2.11, 2001:db8::11\n"
	  "beta  0x1e  suspended          0\n",
	  "", STREAM("ListBindings", "{}") },
	{ "an empty list", "binding list", REPLY("{\"bindings\":[]}"), 0, "no bindings\n", "",
	  NULL },
	{ "a list in JSON", "binding list --json",
	  MORE("{\"bindings\":[{\"name\":\"a\"}]}") REPLY("{\"bindings\":[{\"name\":\"b\"}]}"), 0,
	  "{\"bindings\": [\n{\"name\": \"a\"},\n{\"name\": \"b\"}\n]}\n", "", NULL },
	{ "an empty list in JSON", "binding list --json", REPLY("{\"bindings\":[]}"), 0,
	  "{\"bindings\": [\n]}\n", "", NULL },
	{ "show", "binding show acme", REPLY("{\"binding\":" ACME "}"), 0,
	  "binding          acme\n"
	  "mark             0x1\n"
	  "addresses        192.0.2.11\n"
	  "                 2001:db8::11\n"
	  "ehlo             mx.acme.example\n"
	  "IPv4             usable\n"
	  "IPv6             address is not on this host\n"
	  "if unusable      reject\n"
	  "named by         3 rules\n"
	  "may be taken by  user mail\n"
	  "written at       o.conf:3:9\n",
	  "", CALL("ShowBinding", "{\"name\":\"acme\"}") },
	{ "show in JSON is the binding", "--json binding show b",
	  REPLY("{\"binding\":{\"name\":\"b\"}}"), 0, "{\"name\": \"b\"}\n", "", NULL },
	{ "show what is not there", "binding show acne",
	  ERROR("BindingNotFound", "{\"name\":\"acne\",\"nearest\":\"acme\"}"), 5, "",
	  "outbindctl: there is no binding 'acne'; did you mean 'acme'?\n", NULL },
	{ "an error in JSON", "--json binding show x",
	  ERROR("BindingNotFound", "{\"name\":\"x\",\"nearest\":null}"), 5,
	  "{\"error\": \"org.outbind.BindingNotFound\", \"parameters\": {\"name\": \"x\", \"nearest\": null}}\n",
	  "outbindctl: there is no binding 'x'; `outbindctl binding list` shows them\n", NULL },
	{ "health: what is unusable first", "health",
	  MORE("{\"health\":[" SOUND("acme") "]}") REPLY("{\"health\":[" SICK("beta") "]}"), 1,
	  "NAME  KIND     FAMILY  STATE     SINCE  REASON\n"
	  "beta  binding  ipv6    unusable  2 min  link eth1 is down\n"
	  "acme  binding  ipv4    usable      5 h\n",
	  "", STREAM("Health", "{}") },
	{ "health of one", "health acme", REPLY("{\"health\":[" SOUND("acme") "]}"), 0,
	  "NAME  KIND     FAMILY  STATE   SINCE  REASON\n"
	  "acme  binding  ipv4    usable    5 h\n",
	  "", STREAM("Health", "{\"name\":\"acme\"}") },
	{ "health of nobody", "health acne",
	  ERROR("BindingNotFound", "{\"name\":\"acne\",\"nearest\":\"acme\"}"), 5, "",
	  "outbindctl: there is no binding 'acne'; did you mean 'acme'?\n", NULL },
	{ "health in JSON", "health --json",
	  REPLY("{\"health\":[{\"name\":\"a\",\"state\":\"unusable\"}]}"), 1,
	  "{\"health\": [{\"name\": \"a\", \"state\": \"unusable\"}]}\n", "", NULL },
	{ "nothing to be healthy", "health", REPLY("{\"health\":[]}"), 0, "no bindings\n", "",
	  NULL },
	{ "monitor until the agent ends", "monitor",
	  MORE(HEARD("monitor.started", "", "0")) MORE(HEARD("binding.usable", FIELD, "3")), 3,
	  "2026-11-22T12:00:00.000Z  monitor.started\n3 events were lost\n"
	  "2026-11-22T12:00:00.000Z  binding.usable  name=acme reason=\"a b\"\n",
	  "outbindctl: outbindd closed the connection before it answered\n",
	  STREAM("Monitor", "{}") },
	{ "monitor in JSON", "monitor --json", MORE("{\"event\":\"agent.stopped\"}"), 3,
	  "{\"event\": \"agent.stopped\"}\n",
	  "outbindctl: outbindd closed the connection before it answered\n", NULL },
	{ "doctor: errors first", "doctor",
	  REPLY("{}") NEXT REPLY("{\"findings\":[" FOUND("note", "clock", "null")
				 "," FOUND("error", "health", "\"do\\u001b\"") "],\"left_out\":3}"), 1,
	  "error  health  what\n       found   where\n       mend    do\\x1b\n"
	  "note   clock   what\n       found   where\n"
	  "and 3 more findings\n1 error, 0 warnings; 1 note\n",
	  "", CALL("Diagnose", "{}") },
	{ "doctor: notes are nothing", "doctor --json",
	  REPLY("{}") NEXT REPLY("{\"findings\":[{\"severity\":\"note\"}]}"), 0,
	  "{\"findings\": [{\"severity\": \"note\"}]}\n", "", NULL },
	{ "doctor of an agent that may ask for everything", "doctor",
	  REPLY("{}") NEXT REPLY("{\"findings\":[],\"clock\":true}"), 0, "nothing is wrong\n", "", NULL },
	{ "doctor of an older agent", "doctor",
	  REPLY("{}") NEXT "{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":"
			   "{\"method\":\"org.outbind.Diagnose\"}}\n", 5, "",
	  "outbindctl: the agent does not know org.outbind.Diagnose: outbindd and outbindctl are of different versions\n", NULL },
	{ "suspend", "binding suspend acme", REPLY("{\"operations\":2,\"microseconds\":84}"), 0,
	  "suspended: new connections are refused, live ones go on; took 84 us\n", "",
	  CALL("SuspendBinding", "{\"name\":\"acme\"}") },
	{ "resume", "binding resume acme", REPLY("{\"operations\":2,\"microseconds\":84}"), 0,
	  "resumed; took 84 us\n", "", CALL("ResumeBinding", "{\"name\":\"acme\"}") },
	{ "suspend in JSON", "--json binding suspend acme",
	  REPLY("{\"operations\":0,\"microseconds\":3}"), 0,
	  "{\"operations\": 0, \"microseconds\": 3}\n", "", NULL },
	{ "suspend what is not there", "binding suspend acne",
	  ERROR("BindingNotFound", "{\"name\":\"acne\",\"nearest\":\"acme\"}"), 5, "",
	  "outbindctl: there is no binding 'acne'; did you mean 'acme'?\n", NULL },
	{ "suspend the implicit default", "binding suspend default",
	  ERROR("NotPossible", "{\"text\":\"it is not configured\"}"), 5, "",
	  "outbindctl: not possible: it is not configured\n", NULL },
	{ "suspend without rights", "binding suspend acme",
	  ERROR("PermissionDenied", "{\"needs\":\"root\"}"), 4, "",
	  "outbindctl: permission denied: needs root\n", NULL },
	{ "completion of suspend", "--complete binding suspend b",
	  REPLY("{\"bindings\":[" ACME "," BETA "]}"), 0, "beta\n", "", NULL },
	{ "policy", "policy list",
	  REPLY("{\"rules\":[" RULE
		",{\"client\":\"otherwise\",\"to\":\"\",\"action\":\"pass\",\"place\":\"o.conf:10:5\"}]}"),
	  0,
	  "CLIENT         TO        ACTION    WRITTEN AT\n"
	  "user www-data  port 25   use acme  o.conf:9:5\n"
	  "otherwise      anywhere  pass      o.conf:10:5\n",
	  "", NULL },
	{ "explain", "explain --user www-data --to 198.51.100.9 --port 25 --mark 0x10",
	  REPLY("{\"verdict\":\"binding\",\"text\":\"leaves from the binding's address\",\"binding\":\"acme\",\"mark\":1,"
		"\"source\":\"192.0.2.11\",\"rule\":" RULE ",\"reason\":null,\"lookups\":[" LOOKUP(
			"true") "," LOOKUP("true") "],\"agree\":true}"),
	  0,
	  "leaves from 192.0.2.11 (binding acme, mark 0x1)\n"
	  "  rule        user www-data port 25 use acme\n"
	  "  written at  o.conf:9:5\n"
	  "  binding     acme\n"
	  "  mark        0x1\n"
	  "  source      192.0.2.11\n"
	  "  kernel      agrees (2 lookups)\n",
	  "",
	  CALL("Explain",
	       "{\"user\":\"www-data\",\"mark\":16,\"to\":\"198.51.100.9\",\"port\":25}") },
	{ "explain: refused is no", "explain --to 198.51.100.9",
	  REPLY("{\"verdict\":\"reject\",\"text\":\"refused by a rule\",\"reason\":\"a rule says so\",\"lookups\":[],\"agree\":true}"),
	  1, "refused by a rule\n  reason  a rule says so\n  kernel  agrees (0 lookups)\n", "",
	  NULL },
	{ "explain: disagreement is no", "explain --to 198.51.100.9",
	  REPLY("{\"verdict\":\"pass\",\"text\":\"leaves from the host's own address\",\"lookups\":[" LOOKUP(
		  "false") "," LOOKUP("true") "],\"agree\":false}"),
	  1,
	  "leaves from the host's own address\n"
	  "  kernel  DISAGREES with the plan:\n"
	  "          usable4 { 0x1 }: plan has yes, kernel has nothing\n",
	  "", NULL },
	{ "explain a user that is not there", "explain --user nobdy --to ::1",
	  ERROR("NotFound", "{\"what\":\"user\",\"name\":\"nobdy\"}"), 5, "",
	  "outbindctl: there is no user 'nobdy'\n", NULL },
	{ "explain a unit that does not run", "explain --unit a.service --to ::1",
	  ERROR("NotFound", "{\"what\":\"unit\",\"name\":\"a.service\"}"), 5, "",
	  "outbindctl: there is no unit 'a.service': it has a cgroup only while it runs\n", NULL },
	{ "render is joined", "render",
	  MORE("{\"text\":\"table inet \"}") REPLY("{\"text\":\"outbind {}\\n\"}"), 0,
	  "table inet outbind {}\n", "", STREAM("Render", "{}") },
	{ "render in JSON", "render --json", MORE("{\"text\":\"a\"}") REPLY("{\"text\":\"b\"}"), 0,
	  "{\"text\": \"ab\"}\n", "", NULL },
	{ "no differences", "diff", REPLY("{\"changes\":[]}"), 0,
	  "no differences: what the files say is what runs\n", "", NULL },
	{ "differences", "diff",
	  REPLY("{\"changes\":[{\"what\":\"added\",\"kind\":\"binding\",\"name\":\"beta\",\"files\":\"binding beta {\\n    address 192.0.2.12;\\n}\\n\",\"running\":null},"
		"{\"what\":\"removed\",\"kind\":\"rule\",\"name\":\"user www-data\"},{\"what\":\"changed\",\"kind\":\"binding\",\"name\":\"acme\",\"files\":\"b\",\"running\":\"a\"}]}"),
	  1,
	  "+ binding beta\n    + binding beta {\n    +     address 192.0.2.12;\n    + }\n- rule user www-data\n~ binding acme\n    - a\n    + b\n",
	  "", NULL },
	{ "reload", "reload",
	  REPLY("{\"generation\":4,\"operations\":12,\"replaced\":false,\"microseconds\":3042,"
		"\"warnings\":[{\"place\":\"o.conf:1:1\",\"severity\":\"warning\",\"text\":\"hm\"}]}"),
	  0, "generation 4: 12 operations in 3.042 ms\n", "o.conf:1:1: warning: hm\n",
	  CALL("Reload", "{}") },
	{ "reload of nonsense", "reload",
	  ERROR("ConfigurationInvalid",
		"{\"problems\":[{\"place\":\"o.conf:7:3\",\"severity\":\"error\",\"text\":\"no\"}],\"left_out\":2}"),
	  1, "",
	  "o.conf:7:3: no\noutbindctl: and 2 more problems\noutbindctl: configuration invalid; nothing was changed\n",
	  NULL },
	{ "reload without the right", "reload", ERROR("PermissionDenied", "{\"needs\":\"root\"}"),
	  4, "", "outbindctl: permission denied: needs root\n", NULL },
	{ "the kernel refuses", "reload",
	  ERROR("KernelRefused", "{\"text\":\"File exists\",\"place\":\"o.conf:2:3\"}"), 5, "",
	  "o.conf:2:3: the kernel refused: File exists\n", NULL },
	{ "the disk refuses", "reload",
	  ERROR("KernelRefused", "{\"text\":\"cannot write marks: No space left on device\",\"place\":\"\"}"), 5, "",
	  "outbindctl: cannot write marks: No space left on device; nothing was changed\n", NULL },
	{ "the agent is busy", "reload", ERROR("Busy", "{\"text\":\"a reload is running\"}"), 5, "",
	  "outbindctl: the agent is busy: a reload is running; try again\n", NULL },
	{ "an error nobody knows", "reload", ERROR("New", "{\"a\":1}"), 5, "",
	  "outbindctl: the agent refused: org.outbind.New {\"a\":1}\n", NULL },
	{ "an older agent", "diff",
	  "{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{\"method\":\"org.outbind.Diff\"}}\n",
	  5, "",
	  "outbindctl: the agent does not know org.outbind.Diff: outbindd and outbindctl are of different versions\n",
	  NULL },
	{ "exec with no such binding", "exec acne -- true",
	  ERROR("BindingNotFound", "{\"name\":\"acne\",\"nearest\":null}"), 5, "",
	  "outbindctl: there is no binding 'acne'; `outbindctl binding list` shows them\n",
	  CALL("PrepareExec", "{\"binding\":\"acne\"}") },
	{ "replies with nothing in them", "binding show x", REPLY("{}"), 0,
	  "IPv4      unusable\nIPv6      unusable\nnamed by  0 rules\n", "", NULL },
	{ "an agent that closes", "status", "", 3, "",
	  "outbindctl: outbindd closed the connection before it answered\n", NULL },
	{ "an agent that closes in the middle", "render", MORE("{\"text\":\"a\"}") "{\"par", 3, "a",
	  "outbindctl: outbindd closed the connection before it answered\n", NULL },
	{ "an agent that is silent", "status", HANG, 3, "",
	  "outbindctl: outbindd does not answer\n", NULL },
	{ "an agent that sends garbage", "status", "hello\n", 3, "",
	  "outbindctl: outbindd answered something that is not varlink: Bad message\n", NULL },
	{ "add", "binding add beta address 192.0.2.12 ehlo mx.beta.example",
	  ERROR("BindingNotFound", "{\"name\":\"beta\",\"nearest\":null}") NEXT REPLY(
		  "{\"changes\":[{\"what\":\"added\",\"kind\":\"binding\",\"name\":\"beta\",\"files\":\"binding beta {\\n}\\n\",\"running\":null}],"
		  "\"operations\":5,\"replaced\":false,\"microseconds\":214,\"affected\":[],\"warnings\":[]}"),
	  0, "+ binding beta\n1 change, 5 operations in 0.214 ms\n", "",
	  CALL("Change",
	       "{\"text\":\"binding beta {\\n    address 192.0.2.12;\\n    ehlo mx.beta.example;\\n}\\n\",\"name\":\"command line\"}") },
	{ "add what is there", "binding add acme address 192.0.2.12",
	  REPLY("{\"binding\":" ACME "}"), 5, "",
	  "outbindctl: there is a binding or group 'acme' already; `outbindctl binding set` changes a binding\n",
	  NULL },
	{ "add what is listed but nowhere written", "binding add default address 192.0.2.1",
	  REPLY("{\"binding\":{\"name\":\"default\",\"place\":\"\"}}") NEXT REPLY(
		  "{\"changes\":[{\"what\":\"added\",\"kind\":\"binding\",\"name\":\"default\"}],\"operations\":1,\"microseconds\":1000}"),
	  0, "+ binding default\n1 change, 1 operation in 1.000 ms\n", "", NULL },
	{ "a place in what was typed", "policy add user 1 use acem",
	  ERROR("ConfigurationInvalid",
		"{\"problems\":[{\"place\":\"command line:1:21\",\"severity\":\"error\",\"text\":\"no\"}],\"left_out\":0}"),
	  1, "",
	  "outbindctl: no\n    policy { user 1 use acem; }\n                        ^\noutbindctl: configuration invalid; nothing was changed\n",
	  CALL("Change",
	       "{\"text\":\"policy { user 1 use acem; }\\n\",\"name\":\"command line\"}") },
	{ "a place in settings", "binding set acme ehlo x adress 1",
	  REPLY("{\"binding\":" ACME "}") NEXT ERROR("ConfigurationInvalid",
		"{\"problems\":[{\"place\":\"settings:1:23\",\"severity\":\"error\",\"text\":\"no\"}],\"left_out\":0}"),
	  1, "",
	  "outbindctl: no\n    binding acme { ehlo x adress 1;\n                          ^\noutbindctl: configuration invalid; nothing was changed\n",
	  NULL },
	{ "a dry run", "binding set acme address 192.0.2.13 --dry-run",
	  REPLY("{}") NEXT REPLY("{\"changes\":[{\"what\":\"changed\",\"kind\":\"binding\",\"name\":\"acme\",\"files\":\"b\",\"running\":\"a\"}],"
		"\"operations\":2,\"affected\":[{\"binding\":\"acme\",\"connections\":12},{\"binding\":\"beta\",\"connections\":0}]}"),
	  0,
	  "~ binding acme\n    - a\n    + b\n"
	  "acme: 12 live connections, whose address would be another if they began now; they keep what they have\n"
	  "dry run: 1 change, 2 operations; nothing was changed\n",
	  "",
	  CALL("SetBinding",
	       "{\"name\":\"acme\",\"settings\":\"address 192.0.2.13;\\n\",\"dry_run\":true}") },
	{ "a change that changes nothing", "bypass add 192.0.2.0/24",
	  REPLY("{\"changes\":[],\"operations\":0}"), 0, "nothing to change: it is so already\n",
	  "",
	  CALL("Change", "{\"text\":\"bypass { 192.0.2.0/24; }\\n\",\"name\":\"command line\"}") },
	{ "more changes than an answer has room for", "default-binding normal",
	  REPLY("{\"changes\":[{\"what\":\"added\",\"kind\":\"binding\",\"name\":\"a\"},{\"what\":\"changed\",\"kind\":\"left out\",\"name\":\"17 more changes\"}],\"operations\":9}"),
	  0, "+ binding a\nand 17 more\n18 changes, 9 operations in 0.000 ms\n", "", NULL },
	{ "more differences", "diff",
	  REPLY("{\"changes\":[{\"what\":\"added\",\"kind\":\"binding\",\"name\":\"a\",\"runtime\":true},{\"what\":\"changed\",\"kind\":\"left out\",\"name\":\"17 more changes\"}]}"),
	  1,
	  "+ binding a  (changed at run time)\nand 17 more\n1 of the first 1 changed at run time: `outbindctl save` folds that into the files\n",
	  "", NULL },
	{ "a change in JSON", "bypass remove 192.0.2.0/24 --json",
	  REPLY("{\"changes\":[],\"operations\":3}"), 0, "{\"changes\": [], \"operations\": 3}\n",
	  "",
	  CALL("Change",
	       "{\"text\":\"remove bypass { 192.0.2.0/24; }\\n\",\"name\":\"command line\"}") },
	{ "rules removed", "policy remove user 1 otherwise port 25", REPLY("{}"), 0,
	  "nothing to change: it is so already\n", "",
	  CALL("Change",
	       "{\"text\":\"remove policy {\\n    user 1;\\n    otherwise port 25;\\n}\\n\",\"name\":\"command line\"}") },
	{ "group add", "group add pool member acme weight 3 member beta",
	  REPLY("{}") NEXT REPLY("{}"), 0, "nothing to change: it is so already\n", "",
	  CALL("Change",
	       "{\"text\":\"group pool {\\n    member acme weight 3;\\n    member beta;\\n}\\n\",\"name\":\"command line\"}") },
	{ "group set", "group set pool pick random", REPLY("{}") NEXT REPLY("{}"), 0,
	  "nothing to change: it is so already\n", "",
	  CALL("SetBinding", "{\"name\":\"pool\",\"settings\":\"pick random;\\n\"}") },
	{ "group set of a binding", "group set acme pick random", REPLY("{\"binding\":" ACME "}"), 5, "",
	  "outbindctl: 'acme' is a binding: `outbindctl binding set` is for it; nothing was changed\n",
	  NULL },
	{ "group remove of a binding", "group remove acme", REPLY("{\"binding\":" ACME "}"), 5, "",
	  "outbindctl: 'acme' is a binding: `outbindctl binding remove` is for it; nothing was changed\n",
	  NULL },
	{ "group remove", "group remove pool", REPLY("{}") NEXT REPLY("{}"), 0,
	  "nothing to change: it is so already\n", "",
	  CALL("Change", "{\"text\":\"remove group pool;\\n\",\"name\":\"command line\"}") },
	{ "default-binding", "default-binding suspended", REPLY("{\"changes\":[{\"what\":\"added\",\"kind\":\"default-binding\",\"name\":\"default-binding\"}],"
		"\"operations\":2,\"microseconds\":90}"), 0, "+ default-binding\n1 change, 2 operations in 0.090 ms\n", "",
	  CALL("Change", "{\"text\":\"default-binding suspended;\\n\",\"name\":\"command line\"}") },
	{ "default-binding unset", "default-binding unset --dry-run", REPLY("{}"), 0, "nothing to change: it is so already\n", "",
	  CALL("Change", "{\"text\":\"remove default-binding;\\n\",\"name\":\"command line\",\"dry_run\":true}") },
	{ "the kernel refuses what was typed", "bypass add ::/0", ERROR("KernelRefused", "{\"text\":\"No space\",\"place\":\"command line:1:10\"}"), 5, "",
	  "outbindctl: the kernel refused: No space\n    bypass { ::/0; }\n             ^\n", NULL },
	{ "completion asks for bindings", "--complete binding show ac", REPLY("{\"bindings\":[" ACME "," BETA "]}"), 0, "acme\n", "", NULL },
	{ "completion of what a rule uses", "--complete policy add user 1 use ''", REPLY("{\"bindings\":[" ACME "," BETA "]}"), 0, "acme\nbeta\n", "", NULL },
	{ "completion of what can be captured", "--complete capture u", REPLY("{\"bindings\":[" ACME "," BETA "]}"), 0, "unit\nuser\n", "", NULL },
	{ "completion of who can be captured", "--complete capture user w", REPLY("{\"rules\":[" RULE "]}"), 0, "www-data\n", "", NULL },
	{ "completion of clients, each once", "--complete policy remove user w", REPLY("{\"rules\":[" RULE "," RULE ",{\"client\":\"unit w.service\"}]}"), 0,
	  "www-data\n", "", STREAM("ListPolicy", "{}") },
	{ "completion of who sends", "--complete explain --user w", REPLY("{\"rules\":[" RULE "]}"), 0, "www-data\n", "", NULL },
	{ "completion of a member: no group, not default", "--complete group add g member ''",
	  REPLY("{\"bindings\":[" ACME ",{\"name\":\"default\",\"group\":null},{\"name\":\"pool\",\"group\":{\"members\":[]}}]}"), 0, "acme\n", "", NULL },
	{ "completion never complains", "--complete exec ''", ERROR("PermissionDenied", "{\"needs\":\"root\"}"), 0, "", "", NULL },
	{ "remove", "binding remove acme",
	  REPLY("{\"name\":\"acme\",\"connections\":0,\"at_start\":0,\"done\":true,\"removed\":true}"),
	  0, "removed acme\n", "", STREAM("RemoveBinding", "{\"name\":\"acme\"}") },
	{ "remove what is in use", "binding remove acme",
	  ERROR("BindingInUse",
		"{\"name\":\"acme\",\"references\":[{\"what\":\"rule\",\"name\":\"user 1001\",\"place\":\"o.conf:5:3\"}],"
		"\"left_out\":2,\"connections\":9,\"remaining\":[\"tcp a > b as c\"]}"),
	  5, "",
	  "outbindctl: o.conf:5:3: rule 'user 1001' refers to it\noutbindctl: and 2 more refer to it\n"
	  "outbindctl: live: tcp a > b as c\noutbindctl: and 8 more connections live\n"
	  "outbindctl: 'acme' is in use; nothing was changed. Change what refers to it, or --reassign OTHER. --drain waits for its connections, --kill ends them.\n",
	  NULL },
	{ "drain", "binding remove acme --reassign beta --drain",
	  MORE("{\"name\":\"acme\",\"connections\":3,\"at_start\":3,\"killed\":0,\"remaining\":[],\"done\":false,\"removed\":false,\"reason\":null}")
		  MORE("{\"name\":\"acme\",\"connections\":3,\"at_start\":3,\"killed\":0,\"remaining\":[],\"done\":false,\"removed\":false,\"reason\":null}")
			  MORE("{\"name\":\"acme\",\"connections\":1,\"at_start\":3,\"killed\":0,\"remaining\":[],\"done\":false,\"removed\":false,\"reason\":null}")
				  REPLY("{\"name\":\"acme\",\"connections\":0,\"at_start\":3,\"killed\":0,\"remaining\":[],\"done\":true,\"removed\":true,\"reason\":null}"),
	  0,
	  "3 of 3 connections left\n1 of 3 connections left\nremoved acme; waited for 3 connections\n",
	  "", STREAM("RemoveBinding", "{\"name\":\"acme\",\"reassign\":\"beta\",\"drain\":true}") },
	{ "drain that gives up", "binding remove acme --drain --timeout 5m",
	  REPLY("{\"name\":\"acme\",\"connections\":2,\"at_start\":3,\"killed\":0,\"remaining\":[\"tcp a\"],\"done\":true,\"removed\":false,\"reason\":\"the time is up\"}"),
	  1, "acme was not removed: the time is up\n  tcp a\n  and 1 more\n", "",
	  STREAM("RemoveBinding", "{\"name\":\"acme\",\"timeout\":300,\"drain\":true}") },
	{ "drain, then kill", "binding remove acme --drain --timeout 90s --kill",
	  REPLY("{\"name\":\"acme\",\"connections\":0,\"at_start\":3,\"killed\":2,\"remaining\":[],\"done\":true,\"removed\":true,\"reason\":null}"),
	  0, "removed acme; waited for 1 connection; ended 2 connections\n", "",
	  STREAM("RemoveBinding",
		 "{\"name\":\"acme\",\"timeout\":90,\"drain\":true,\"kill\":true}") },
	{ "drain in JSON", "binding remove acme --drain --json",
	  MORE("{\"connections\":1}") REPLY("{\"removed\":true}"), 0,
	  "{\"connections\": 1}\n{\"removed\": true}\n", "", NULL },
	{ "an agent that goes away while it drains", "binding remove acme --drain",
	  MORE("{\"name\":\"acme\",\"connections\":3,\"at_start\":3,\"killed\":0,\"remaining\":[],\"done\":false,\"removed\":false,\"reason\":null}"),
	  3, "3 of 3 connections left\n",
	  "outbindctl: outbindd closed the connection before it answered\n", NULL },
	{ "completion of who gets the rules", "--complete binding remove acme --reassign ac",
	  REPLY("{\"bindings\":[" ACME "," BETA "]}"), 0, "acme\n", "", NULL },
};

static int check_run(size_t i)
{
	struct fake fake;
	AUTO(run_drop) struct run run = { 0 };
	char got[16], want[16];
	int wrong;

	fake_start(&fake, runs[i].replies);
	run = run_ctl(fake.dir, runs[i].line);
	fake_stop(&fake);
	(void)snprintf(got, sizeof got, "%d", run.status);
	(void)snprintf(want, sizeof want, "%d", runs[i].status);
	wrong = differs(runs[i].what, "status", got, want);
	wrong += differs(runs[i].what, "stdout", run.out, runs[i].out);
	wrong += differs(runs[i].what, "stderr", run.err, runs[i].err);
	if (runs[i].call)
		wrong += differs(runs[i].what, "call", fake.call, runs[i].call);
	return wrong;
}

static void test_runs(void **state)
{
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(runs); i++)
		wrong += check_run(i);
	assert_int_equal(wrong, 0);
}

static void test_status(void **state)
{
	AUTO(run_drop) struct run run = { 0 };
	struct fake fake;

	(void)state;
	fake_start(&fake, REPLY("{\"version\":\"0.1.0\",\"pid\":7,\"table\":\"outbind\",\"mask\":8191,\"bindings\":3,\"groups\":1,\"usable\":1,"
				"\"features\":{\"owner\":true,\"persist\":true},\"warnings\":[\"rp_filter on eth0\"]}"));
	run = run_ctl(fake.dir, "status");
	fake_stop(&fake);
	assert_int_equal(run.status, 0);
	assert_non_null(strstr(run.out, "inet outbind, mask 0x1fff"));
	assert_non_null(strstr(run.out, "bindings       2, 1 group, 1 usable\n"));
	assert_non_null(strstr(run.out, "kernel has     owner, persist\n"));
	assert_non_null(strstr(run.out, "warning        rp_filter on eth0\n"));
}

/* Wrong before anything is asked: no agent is there, and nobody notices. */
static const struct {
	const char *what, *line;
	int status;
	const char *err;
} offline[] = {
	{ "no agent", "status", 3, "outbindctl: cannot reach outbindd at /nonexistent/org.outbind: No such file or directory; is it running?\n" },
	{ "a directory too deep for a socket", "--runtime-dir /12345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890 status", 3,
	  "outbindctl: /12345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890/org.outbind: path too long for a socket\n" },
	{ "a time for nothing", "binding remove acme --timeout 5", 2, "outbindctl: --timeout is how long --drain waits: say --drain too\n" },
	{ "drain for ever, then kill", "binding remove acme --drain --kill", 2, "outbindctl: --drain --kill ends what is left after a time: say --timeout too\n" },
	{ "a time that is none", "binding remove acme --drain --timeout 5d", 2, "outbindctl: --timeout: expected a time like 90, 90s, 5m or 2h, got '5d'\n" },
	{ "a colour that is none", "--color green status", 2, "outbindctl: --color: expected auto, always or never, got 'green'\n" },
	{ "explain without a destination", "explain --user root", 2, "outbindctl: explain needs --to ADDR: the answer depends on the destination\n" },
	{ "explain with two senders", "explain --to ::1 --unit a --pid 1", 2, "outbindctl: --unit, --cgroup and --pid exclude each other\n" },
	{ "explain to a name", "explain --to example.net", 2, "outbindctl: --to: expected an IPv4 or IPv6 address, got 'example.net'\n" },
	{ "explain to port 65536", "explain --to ::1 --port 65536", 2, "outbindctl: --port: expected a number from 0 to 65535, got '65536'\n" },
	{ "explain with a mark in words", "explain --to ::1 --mark one", 2, "outbindctl: --mark: expected a number from 0 to 4294967295, got 'one'\n" },
	{ "a file to apply that is not there", "apply /nonexistent/a.conf", 2, "outbindctl: /nonexistent/a.conf cannot be read: No such file or directory\n" },
	{ "a directory to apply", "apply /", 2, "outbindctl: / cannot be read: Is a directory\n" },
	{ "a setting that is not UTF-8", "binding set a ehlo \xff", 2, "outbindctl: settings: not valid UTF-8\n" },
	{ "a name that is not UTF-8", "binding show \xff", 2, "outbindctl: name: not valid UTF-8\n" },
	{ "a file that is not there", "check /nonexistent/o.conf", 1, NULL },
	{ "help about nonsense", "help frob", 2, "outbindctl: unknown verb 'frob'\n" },
};

static void test_offline(void **state)
{
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(offline); i++) {
		AUTO(run_drop) struct run run = run_ctl("/nonexistent", offline[i].line);

		if (run.status != offline[i].status) {
			print_error("%s: status: got %d, want %d\n", offline[i].what, run.status, offline[i].status);
			wrong++;
		}
		if (offline[i].err)
			wrong += differs(offline[i].what, "stderr", run.err, offline[i].err);
		wrong += differs(offline[i].what, "stdout", run.out, "");
	}
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_offline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

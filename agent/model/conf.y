/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Grammar of the configuration. It is a push parser, one for each open file: the reader hands it
 * token by token, so that neither includes nor anything else nests on the C stack, and a list is
 * always left-recursive. An action runs as soon as its statement is complete.
 *
 * After a syntax error conf_read.c decides how to go on (enum conf_recovery) and always gives `;`
 * or `}`, to which the two `error` rules of each list answer.
 */
%code requires { #include "model/conf_actions.h" }
%define api.pure full
%define api.push-pull push
%define api.prefix {conf_}
%define api.token.prefix {TOKEN_}
%define api.value.type {struct word}
%define api.location.type {struct where}
%define parse.error custom
%define parse.lac full
%locations
%parse-param { struct conf *conf }
%code {
#define YYLLOC_DEFAULT(current, rhs, n)	((current) = YYRHSLOC(rhs, (n) ? 1 : 0))
#define WANT(text)	(conf->wanted = (text))

static void conf_error(const struct where *where, struct conf *conf, const char *text)
{
	diag_error(conf->diag, *where, "%s", text);
}
}

%token END 0		"the end of the file"
%token WORD		"a word"
%token STRING		"a string"
%token MARK_MASK	"mark-mask"
%token FLOW_LOG		"flow-log"
%token PORT_WARNING	"port-warning"
%token INCLUDE		"include"
%token BYPASS		"bypass"
%token BINDING		"binding"
%token POLICY		"policy"
%token DEFAULT_BINDING	"default-binding"
%token REMOVE		"remove"
%token SUSPEND		"suspend"
%token RESUME		"resume"
%token ADDRESS		"address"
%token EHLO		"ehlo"
%token INTERFACE	"interface"
%token UPLINK		"uplink"
%token GATEWAY		"gateway"
%token TABLE		"table"
%token MEMBER		"member"
%token PICK		"pick"
%token UNUSABLE		"unusable"
%token LIMIT		"limit"
%token OVERFLOW		"overflow"
%token WARMUP		"warmup"
%token DAY		"day"
%token PROBE		"probe"
%token ALLOW		"allow"
%token UNIT		"unit"
%token CGROUP		"cgroup"
%token USER		"user"
%token GROUP		"group"
%token SOURCE		"source"
%token OTHERWISE	"otherwise"
%token TO		"to"
%token PORT		"port"
%token PROTOCOL		"protocol"
%token USE		"use"
%token PASS		"pass"
%token REJECT		"reject"
%token DEFAULT		"default"
%token NORMAL		"normal"
%token SUSPENDED	"suspended"
%token ROUTED		"routed"
%token CONNECTIONS	"connections"
%token NEW		"new"
%token BURST		"burst"
%token PER		"per"
%token DESTINATION	"destination"
%token TCP		"tcp"
%token ICMP		"icmp"
%token EVERY		"every"
%token DOWN		"down"
%token UP		"up"
%token WEIGHT		"weight"
%token STICKY_DESTINATION "sticky-destination"
%token STICKY_CLIENT	"sticky-client"
%token ROUND_ROBIN	"round-robin"
%token RANDOM		"random"
%token RELAY		"relay"
%token METRICS		"metrics"
%token BINDINGS		"bindings"
%token TRAFFIC		"traffic"
%token WORKERS		"workers"
%token HOSTNAME		"hostname"
%token SIZE		"size"
%token SESSIONS		"sessions"
%token CLIENT_SESSIONS	"client-sessions"
%token FAMILY		"family"
%token EIGHT_BIT	"8bit"
%token RESOLVER		"resolver"
%token ACCESS_LOG	"access-log"
%token REUSE		"reuse"
%token MESSAGES		"messages"
%token AGE		"age"
%token IDLE		"idle"
%token OFF		"off"
%token SMARTHOST	"smarthost"
%token MX		"mx"
%token FOR		"for"
%token TLS		"tls"
%token TLS_CA		"tls-ca"
%token POLICY_MAP	"policy-map"
%token STS_MAP		"sts-map"
%token LISTEN		"listen"
%token INTERCEPT	"intercept"
%token NAME		"name"
%token MODE		"mode"
%token CERTIFICATE	"certificate"
%token KEY		"key"
%token AUTH		"auth"
%token FILE		"file"
%token SOCKET		"socket"
%token REQUIRED		"required"
%token PLAIN_TEXT	"plain-text"
%token TRUST		"trust"
%token PARAMETER	"parameter"
%token HEADER		"header"
%token BARE_NEWLINE	"bare-newline"
%token RECEIVED		"received"
%token SENDER		"sender"
%token RECIPIENT	"recipient"
%token PEER		"peer"
%token CLIENT		"client"
%token LISTENER		"listener"
%token ON		"on"
%token DNS		"dns"
%token SENDER_DOMAIN	"sender-domain"
%token BLOCKLIST	"blocklist"
%token KEEP		"keep"
%token REQUIRE		"require"
%token FCRDNS		"fcrdns"
%token WARN		"warn"
%token COMMA		"','"
%token SEMICOLON	"';'"
%token OPEN		"'{'"
%token CLOSE		"'}'"

%%
file:		statements ;
statements:	%empty | statements statement		{ conf_split_end(conf, @2); } ;
statement:	MARK_MASK want_mask word SEMICOLON	{ conf_set_mask(conf, &$3, @1, @3); }
	|	FLOW_LOG want_log word SEMICOLON	{ conf_set_flow_log(conf, &$3, @1, @3); }
	|	PORT_WARNING want_share word SEMICOLON
			{ conf_set_port_warning(conf, &$3, @1, @3); }
	|	INCLUDE want_path word SEMICOLON	{ conf_file_include(conf, &$3, @3); }
	|	BYPASS open bypasses close
	|	BINDING want_name word			{ conf_binding_open(conf, &$3, @3); }
		open settings close			{ conf_binding_close(conf); }
	|	GROUP want_pool word			{ conf_group_open(conf, &$3, @3); }
		open group_settings close		{ conf_binding_close(conf); }
	|	UPLINK want_uplink word			{ conf_uplink_open(conf, &$3, @3); }
		open uplink_settings close		{ conf_uplink_close(conf); }
	|	POLICY open rules close
	|	RELAY					{ conf_relay_open(conf, @1); }
		open relay_statements close		{ conf_relay_close(conf); }
	|	DNS					{ conf_dns_open(conf, @1); }
		open dns_settings close			{ conf_dns_close(conf); }
	|	METRICS					{ conf_metrics_open(conf, @1); }
		open metrics_settings close		{ conf_metrics_close(conf); }
	|	REMOVE BINDING want_name word SEMICOLON
			{ conf_layer_remove(conf, ITEM_BINDING, &$4, @1, @4); }
	|	REMOVE GROUP want_pool word SEMICOLON
			{ conf_layer_remove(conf, ITEM_GROUP, &$4, @1, @4); }
	|	REMOVE UPLINK want_uplink word SEMICOLON
			{ conf_layer_remove(conf, ITEM_UPLINK, &$4, @1, @4); }
	|	REMOVE DEFAULT_BINDING SEMICOLON
			{ conf_layer_remove_default(conf, @1); }
	|	REMOVE POLICY	{ conf_layer_block(conf, @1); } open removed_rules close
	|	REMOVE BYPASS	{ conf_layer_block(conf, @1); } open removed_bypasses close
	|	SUSPEND want_name word SEMICOLON
			{ conf_layer_suspend(conf, &$3, false, @1, @3); }
	|	RESUME want_name word SEMICOLON
			{ conf_layer_suspend(conf, &$3, true, @1, @3); }
	|	DEFAULT_BINDING NORMAL SEMICOLON
			{ conf_set_default(conf, DEFAULT_NORMAL, @1); }
	|	DEFAULT_BINDING SUSPENDED SEMICOLON
			{ conf_set_default(conf, DEFAULT_SUSPENDED, @1); }
	|	DEFAULT_BINDING REJECT SEMICOLON
			{ conf_set_default(conf, DEFAULT_REJECT, @1); }
	|	error SEMICOLON				{ yyerrok; }
	|	error CLOSE				{ yyerrok; } ;
open:		OPEN					{ conf_brace_open(conf, @1); } ;
close:		CLOSE					{ conf_brace_close(conf); }
	|	error CLOSE				{ conf_brace_close(conf); yyerrok; } ;

bypasses:	want_bypass
	|	bypasses bypass want_bypass		{ conf_split_end(conf, @2); } ;
bypass:		word SEMICOLON				{ conf_set_bypass(conf, &$1, @1, false); }
	|	error SEMICOLON				{ yyerrok; } ;
removed_bypasses: want_bypass
	|	removed_bypasses removed_bypass want_bypass { conf_split_end(conf, @2); } ;
removed_bypass:	word SEMICOLON				{ conf_set_bypass(conf, &$1, @1, true); }
	|	error SEMICOLON				{ yyerrok; } ;

settings:	%empty | settings setting ;
setting:	ADDRESS want_address addresses SEMICOLON
	|	EHLO want_ehlo word SEMICOLON
			{ conf_binding_ehlo(conf, &$3, NULL, @1, @3, @3); }
	|	EHLO want_ehlo word FOR want_family word SEMICOLON
			{ conf_binding_ehlo(conf, &$3, &$6, @1, @3, @6); }
	|	INTERFACE want_interface word SEMICOLON
			{ conf_binding_interface(conf, &$3, @1, @3); }
	|	UNUSABLE REJECT SEMICOLON
			{ conf_binding_unusable(conf, NULL, @1, @2); }
	|	UNUSABLE DEFAULT SEMICOLON
			{ conf_binding_unusable(conf, &$2, @1, @2); }
	|	UNUSABLE USE want_name word SEMICOLON
			{ conf_binding_unusable(conf, &$4, @1, @4); }
	|	UPLINK want_uplink word SEMICOLON	{ conf_binding_uplink(conf, &$3, @1, @3); }
	|	WARMUP					{ conf_warmup_open(conf, @1); }
		open days close				{ conf_warmup_close(conf); }
	|	probe					{ conf_binding_probe(conf, @1); }
	|	SENDER_DOMAIN want_sends domains SEMICOLON
	|	REQUIRE FCRDNS SEMICOLON	{ conf_binding_require(conf, true, @1); }
	|	REQUIRE FCRDNS REJECT SEMICOLON	{ conf_binding_require(conf, true, @1); }
	|	REQUIRE FCRDNS WARN SEMICOLON	{ conf_binding_require(conf, false, @1); }
	|	limit | overflow | allow
	|	error SEMICOLON				{ yyerrok; } ;
addresses:	address | addresses COMMA address ;
address:	word		{ conf_binding_address(conf, &$1, @1); }
	|	word ROUTED	{ conf_binding_routed(conf, &$1, @1); } ;
domains:	domain | domains COMMA domain ;
domain:		word		{ conf_binding_domain(conf, &$1, @1); } ;

limit:		LIMIT CONNECTIONS want_count word per SEMICOLON
			{ conf_limit_connections(conf, &$4, $5.len != 0, @1, @4); }
	|	LIMIT NEW want_rate word per SEMICOLON
			{ conf_limit_new(conf, &$4, $5.len != 0, @1, @4, NULL, @4); }
	|	LIMIT NEW want_rate word BURST want_count word per SEMICOLON
			{ conf_limit_new(conf, &$4, $8.len != 0, @1, @4, &$7, @7); } ;
per:		%empty					{ $$ = (struct word){ 0 }; }
	|	PER DESTINATION ;
overflow:	OVERFLOW want_name word SEMICOLON
			{ conf_binding_overflow(conf, &$3, @1, @3); } ;
days:		%empty | days day ;
day:		DAY want_day word want_count word SEMICOLON
			{ conf_warmup_day(conf, &$3, @3, &$5, @5); }
	|	OVERFLOW want_name word SEMICOLON	{ conf_warmup_overflow(conf, &$3, @1, @3); }
	|	error SEMICOLON				{ yyerrok; } ;
allow:		ALLOW USER want_user allow_users SEMICOLON
	|	ALLOW GROUP want_group allow_groups SEMICOLON
	|	ALLOW CGROUP want_cgroup allow_cgroups SEMICOLON ;
allow_users:	allow_user | allow_users COMMA allow_user ;
allow_user:	word		{ conf_binding_allow(conf, PEER_USER, &$1, @1); } ;
allow_groups:	allow_group | allow_groups COMMA allow_group ;
allow_group:	word		{ conf_binding_allow(conf, PEER_GROUP, &$1, @1); } ;
allow_cgroups:	allow_cgroup | allow_cgroups COMMA allow_cgroup ;
allow_cgroup:	word		{ conf_binding_allow(conf, PEER_CGROUP, &$1, @1); } ;

probe:		PROBE probe_target EVERY want_time word	{ conf_probe_every(conf, &$5, @5); }
		thresholds SEMICOLON ;
probe_target:	TCP want_endpoint word		{ conf_probe_open(conf, PROBE_TCP, &$3, @3); }
	|	ICMP want_address word		{ conf_probe_open(conf, PROBE_ICMP, &$3, @3); } ;
thresholds:	%empty
	|	thresholds DOWN want_times word	{ conf_probe_down(conf, &$4, @2, @4); }
	|	thresholds UP want_times word	{ conf_probe_up(conf, &$4, @2, @4); } ;

group_settings:	%empty | group_settings group_setting ;
group_setting:	MEMBER want_name word SEMICOLON
			{ conf_group_member(conf, &$3, @3, NULL, @3); }
	|	MEMBER want_name word WEIGHT want_weight word SEMICOLON
			{ conf_group_member(conf, &$3, @3, &$6, @6); }
	|	PICK STICKY_DESTINATION SEMICOLON	{ conf_group_pick(conf, PICK_TO, @1); }
	|	PICK STICKY_CLIENT SEMICOLON		{ conf_group_pick(conf, PICK_CLIENT, @1); }
	|	PICK ROUND_ROBIN SEMICOLON		{ conf_group_pick(conf, PICK_TURN, @1); }
	|	PICK RANDOM SEMICOLON			{ conf_group_pick(conf, PICK_RANDOM, @1); }
	|	limit | overflow | allow
	|	error SEMICOLON				{ yyerrok; } ;

uplink_settings: %empty | uplink_settings uplink_setting ;
uplink_setting:	INTERFACE want_interface word SEMICOLON
			{ conf_uplink_interface(conf, &$3, @1, @3); }
	|	GATEWAY want_address gateways SEMICOLON
	|	TABLE want_table word SEMICOLON		{ conf_uplink_table(conf, &$3, @1, @3); }
	|	probe					{ conf_uplink_probe(conf, @1); }
	|	error SEMICOLON				{ yyerrok; } ;
gateways:	gateway | gateways COMMA gateway ;
gateway:	word		{ conf_uplink_gateway(conf, &$1, @1); } ;

dns_settings:	%empty | dns_settings dns_setting ;
dns_setting:	RESOLVER want_resolver word SEMICOLON	{ conf_dns_resolver(conf, &$3, @1, @3); }
	|	SENDER_DOMAIN want_sends dns_domains SEMICOLON
	|	BLOCKLIST want_zone blocklists SEMICOLON
	|	KEEP want_long word SEMICOLON		{ conf_dns_keep(conf, &$3, @1, @3); }
	|	error SEMICOLON				{ yyerrok; } ;
dns_domains:	dns_domain | dns_domains COMMA dns_domain ;
dns_domain:	word		{ conf_dns_domain(conf, &$1, @1); } ;
blocklists:	blocklist | blocklists COMMA blocklist ;
blocklist:	word		{ conf_dns_blocklist(conf, &$1, @1); } ;

rules:		%empty | rules rule			{ conf_split_end(conf, @2); } ;
rule:		client qualifiers action SEMICOLON	{ conf_rule_close(conf); }
	|	error SEMICOLON				{ yyerrok; } ;
removed_rules:	%empty | removed_rules removed_rule	{ conf_split_end(conf, @2); } ;
removed_rule:	client qualifiers SEMICOLON		{ conf_rule_remove(conf); }
	|	error SEMICOLON				{ yyerrok; } ;
client:		UNIT want_unit word	{ conf_rule_unit(conf, &$3, @1, @3); }
	|	CGROUP want_cgroup word	{ conf_rule_cgroup(conf, &$3, @1, @3); }
	|	USER want_user word	{ conf_rule_ids(conf, CLIENT_USER, &$3, @1, @3); }
	|	GROUP want_group word	{ conf_rule_ids(conf, CLIENT_GROUP, &$3, @1, @3); }
	|	SOURCE want_prefix word	{ conf_rule_source(conf, &$3, @1, @3); }
	|	OTHERWISE		{ conf_rule_otherwise(conf, @1); } ;
qualifiers:	%empty | qualifiers qualifier ;
qualifier:	TO want_prefix		{ conf_rule_qualifier(conf, "to", @1); } prefixes
	|	PORT want_port		{ conf_rule_qualifier(conf, "port", @1); } ports
	|	PROTOCOL want_protocol	{ conf_rule_qualifier(conf, "protocol", @1); } protocols ;
prefixes:	prefix | prefixes COMMA prefix ;
prefix:		word		{ conf_rule_to(conf, &$1, @1); } ;
ports:		port | ports COMMA port ;
port:		word		{ conf_rule_port(conf, &$1, @1); } ;
protocols:	protocol | protocols COMMA protocol ;
protocol:	word		{ conf_rule_protocol(conf, &$1, @1); } ;
action:		USE want_name word	{ conf_rule_action(conf, ACTION_USE, &$3, @3); }
	|	PASS			{ conf_rule_action(conf, ACTION_PASS, NULL, @1); }
	|	REJECT			{ conf_rule_action(conf, ACTION_REJECT, NULL, @1); } ;

metrics_settings: %empty | metrics_settings metrics_setting ;
metrics_setting: LISTEN want_tcp word SEMICOLON
			{ conf_metrics_listen(conf, &$3, @1, @3); }
	|	SOCKET want_switch word SEMICOLON
			{ conf_metrics_socket(conf, &$3, @1, @3); }
	|	TRAFFIC want_switch word SEMICOLON
			{ conf_metrics_traffic(conf, &$3, @1, @3); }
	|	BINDINGS want_which word SEMICOLON
			{ conf_metrics_bindings(conf, &$3, @1, @3); }
	|	error SEMICOLON				{ yyerrok; } ;

relay_statements: %empty | relay_statements relay_statement ;
relay_statement: WORKERS want_number word SEMICOLON { conf_relay_workers(conf, &$3, @1, @3); }
	|	HOSTNAME want_ehlo word SEMICOLON	{ conf_relay_hostname(conf, &$3, @1, @3); }
	|	SIZE want_size word SEMICOLON		{ conf_relay_size(conf, &$3, @1, @3); }
	|	SESSIONS want_number word SEMICOLON	{ conf_relay_sessions(conf, &$3, @1, @3); }
	|	CLIENT_SESSIONS want_number word SEMICOLON
			{ conf_relay_client_sessions(conf, &$3, @1, @3); }
	|	FAMILY want_first word SEMICOLON	{ conf_relay_family(conf, &$3, @1, @3); }
	|	EIGHT_BIT want_8bit word SEMICOLON	{ conf_relay_8bit(conf, &$3, @1, @3); }
	|	RESOLVER want_resolver word SEMICOLON	{ conf_relay_resolver(conf, &$3, @1, @3); }
	|	ACCESS_LOG want_file word SEMICOLON
			{ conf_relay_access_log(conf, &$3, @1, @3); }
	|	POLICY_MAP want_map word SEMICOLON
			{ conf_relay_map(conf, "policy-map", &$3, @1, @3); }
	|	STS_MAP want_map word SEMICOLON
			{ conf_relay_map(conf, "sts-map", &$3, @1, @3); }
	|	TLS_CA want_file word SEMICOLON		{ conf_relay_tls_ca(conf, &$3, @1, @3); }
	|	REUSE			{ conf_relay_reuse(conf, @1); } reuse SEMICOLON
	|	SMARTHOST want_host hop SEMICOLON	{ conf_relay_smarthost(conf, @1); }
	|	SMARTHOST want_host hop FOR want_name word SEMICOLON
			{ conf_relay_smarthost_for(conf, &$6, @1, @6); }
	|	TLS want_level word SEMICOLON
			{ conf_relay_tls(conf, &$3, @1, @3, NULL, @3); }
	|	TLS want_level word TO want_domain word SEMICOLON
			{ conf_relay_tls(conf, &$3, @1, @3, &$6, @6); }
	|	LISTEN want_listen word			{ conf_listen_open(conf, &$3, @1, @3); }
		listen_block				{ conf_listen_close(conf); }
	|	INTERCEPT want_listener word		{ conf_intercept_open(conf, &$3, @3); }
		open intercept_settings close		{ conf_listen_close(conf); }
	|	relay_key relay_on relay_action SEMICOLON { conf_relay_rule_close(conf); }
	|	error SEMICOLON				{ yyerrok; } ;
reuse:		OFF			{ conf_relay_reuse_off(conf); }
	|	reuse_parts ;
reuse_parts:	reuse_part | reuse_parts reuse_part ;
reuse_part:	MESSAGES want_number word
			{ conf_relay_reuse_messages(conf, &$3, @1, @3); }
	|	AGE want_seconds word	{ conf_relay_reuse_age(conf, &$3, @1, @3); }
	|	IDLE want_seconds word	{ conf_relay_reuse_idle(conf, &$3, @1, @3); } ;
hop:		plain			{ conf_relay_hop(conf, &$1, false, @1); }
	|	MX want_host plain	{ conf_relay_hop(conf, &$3, true, @3); } ;

listen_block:	SEMICOLON | open listen_settings close ;
listen_settings: %empty | listen_settings listen_setting ;
listen_setting:	NAME want_listener word SEMICOLON	{ conf_listen_name(conf, &$3, @1, @3); }
	|	PROTOCOL want_front word SEMICOLON	{ conf_listen_protocol(conf, &$3, @1, @3); }
	|	MODE want_mode word SEMICOLON		{ conf_listen_mode(conf, &$3, @1, @3); }
	|	TLS want_front_tls word SEMICOLON	{ conf_listen_tls(conf, &$3, @1, @3); }
	|	TRUST PARAMETER SEMICOLON
			{ conf_listen_flag(conf, LISTEN_TRUST_PARAMETER, @1); }
	|	TRUST HEADER SEMICOLON	{ conf_listen_flag(conf, LISTEN_TRUST_HEADER, @1); }
	|	RECEIVED want_switch word SEMICOLON	{ conf_listen_received(conf, &$3, @1, @3); }
	|	SMARTHOST want_host hop SEMICOLON	{ conf_listen_smarthost(conf, @1); }
	|	AUTH FILE want_file word SEMICOLON
			{ conf_listen_file(conf, LISTEN_AUTH_FILE, &$4, @1, @4); }
	|	AUTH SOCKET want_file word SEMICOLON
			{ conf_listen_file(conf, LISTEN_AUTH_SOCKET, &$4, @1, @4); }
	|	AUTH REQUIRED SEMICOLON	{ conf_listen_flag(conf, LISTEN_AUTH_REQUIRED, @1); }
	|	AUTH PLAIN_TEXT SEMICOLON { conf_listen_flag(conf, LISTEN_AUTH_PLAIN_TEXT, @1); }
	|	front_setting ;
front_setting:	CERTIFICATE want_file word SEMICOLON
			{ conf_listen_file(conf, LISTEN_CERTIFICATE, &$3, @1, @3); }
	|	KEY want_file word SEMICOLON
			{ conf_listen_file(conf, LISTEN_KEY, &$3, @1, @3); }
	|	BARE_NEWLINE want_newline word SEMICOLON
			{ conf_listen_newline(conf, &$3, @1, @3); }
	|	error SEMICOLON				{ yyerrok; } ;
intercept_settings: %empty | intercept_settings intercept_setting ;
intercept_setting: UNIT want_unit units SEMICOLON
	|	CGROUP want_cgroup cgroups SEMICOLON
	|	USER want_user users SEMICOLON
	|	GROUP want_group groups SEMICOLON
	|	SOURCE want_prefix sources SEMICOLON
	|	PORT want_port			{ conf_intercept_ports(conf, @1); } ports SEMICOLON
	|	LISTEN want_tcp word SEMICOLON	{ conf_intercept_listen(conf, &$3, @1, @3); }
	|	TLS want_through word SEMICOLON	{ conf_intercept_tls(conf, &$3, @1, @3); }
	|	front_setting ;
units:		unit | units COMMA unit ;
unit:		word		{ conf_intercept_unit(conf, &$1, @1); } ;
cgroups:	cgroup | cgroups COMMA cgroup ;
cgroup:		word		{ conf_intercept_cgroup(conf, &$1, @1); } ;
users:		user | users COMMA user ;
user:		word		{ conf_intercept_ids(conf, true, &$1, @1); } ;
groups:		group | groups COMMA group ;
group:		word		{ conf_intercept_ids(conf, false, &$1, @1); } ;
sources:	source | sources COMMA source ;
source:		word		{ conf_intercept_source(conf, &$1, @1); } ;

relay_key:	SENDER want_sender word
			{ conf_relay_rule(conf, RELAY_KEY_SENDER, &$3, @1, @3); }
	|	RECIPIENT want_domain word
			{ conf_relay_rule(conf, RELAY_KEY_RECIPIENT, &$3, @1, @3); }
	|	AUTH want_login word
			{ conf_relay_rule(conf, RELAY_KEY_USER, &$3, @1, @3); }
	|	EHLO want_ehlo word
			{ conf_relay_rule(conf, RELAY_KEY_HELO, &$3, @1, @3); }
	|	PEER CGROUP want_cgroup word
			{ conf_relay_rule(conf, RELAY_KEY_PEER_CGROUP, &$4, @1, @4); }
	|	PEER USER want_user word
			{ conf_relay_rule(conf, RELAY_KEY_PEER_USER, &$4, @1, @4); }
	|	CLIENT want_prefix word
			{ conf_relay_rule(conf, RELAY_KEY_CLIENT, &$3, @1, @3); }
	|	DESTINATION want_prefix word
			{ conf_relay_rule(conf, RELAY_KEY_DESTINATION, &$3, @1, @3); }
	|	LISTENER want_listener word
			{ conf_relay_rule(conf, RELAY_KEY_LISTENER, &$3, @1, @3); }
	|	OTHERWISE
			{ conf_relay_rule(conf, RELAY_KEY_OTHERWISE, &$1, @1, @1); } ;
relay_on:	%empty | ON want_listener word	{ conf_relay_rule_on(conf, &$3); } ;
relay_action:	USE want_name word		{ conf_relay_rule_use(conf, &$3, @3); } relay_hop
	|	REJECT				{ conf_relay_rule_reject(conf, NULL, @1); }
	|	REJECT STRING			{ conf_relay_rule_reject(conf, &$2, @2); } ;
relay_hop:	%empty | SMARTHOST want_host hop	{ conf_relay_rule_hop(conf); } ;

want_mask:	%empty	{ WANT("a number such as 0x1fff"); } ;
want_log:	%empty	{ WANT("a path such as \"/var/log/outbind/flows.json\""); } ;
want_share:	%empty	{ WANT("a share such as 80%, or off"); } ;
want_path:	%empty	{ WANT("a file name or a pattern such as \"conf.d/*.conf\""); } ;
want_bypass:	%empty	{ WANT("a prefix, 'connected', 'private' or '}'"); } ;
want_name:	%empty	{ WANT("the name of a binding"); } ;
want_pool:	%empty	{ WANT("the name of a group"); } ;
want_uplink:	%empty	{ WANT("the name of an uplink"); } ;
want_address:	%empty	{ WANT("an IPv4 or IPv6 address"); } ;
want_endpoint:	%empty	{ WANT("an address and a port such as 198.51.100.25:25"); } ;
want_time:	%empty	{ WANT("a time such as 5s or 500ms"); } ;
want_times:	%empty	{ WANT("a number of probes"); } ;
want_count:	%empty	{ WANT("a number of connections"); } ;
want_rate:	%empty	{ WANT("a rate such as 10/second"); } ;
want_day:	%empty	{ WANT("the number of a day"); } ;
want_weight:	%empty	{ WANT("a weight from 1 to 1000"); } ;
want_table:	%empty	{ WANT("the number of a routing table"); } ;
want_ehlo:	%empty	{ WANT("a host name such as mx.example.net"); } ;
want_interface:	%empty	{ WANT("the name of a network interface"); } ;
want_unit:	%empty	{ WANT("a unit name such as nginx.service"); } ;
want_cgroup:	%empty	{ WANT("a path below the cgroup root such as \"/tenants.slice\""); } ;
want_user:	%empty	{ WANT("a user name, a number or a range of numbers"); } ;
want_group:	%empty	{ WANT("a group name, a number or a range of numbers"); } ;
want_prefix:	%empty	{ WANT("a prefix such as 192.0.2.0/24"); } ;
want_port:	%empty	{ WANT("a port or a range of ports"); } ;
want_protocol:	%empty	{ WANT("a protocol name or a number from 0 to 255"); } ;
want_number:	%empty	{ WANT("a number"); } ;
want_switch:	%empty	{ WANT("'on' or 'off'"); } ;
want_which:	%empty	{ WANT("a number, 'all' or 'none'"); } ;
want_size:	%empty	{ WANT("a size such as 50M"); } ;
want_first:	%empty	{ WANT("'ipv4-first' or 'ipv6-first'"); } ;
want_family:	%empty	{ WANT("'ipv4' or 'ipv6'"); } ;
want_8bit:	%empty	{ WANT("'ignore' or 'refuse'"); } ;
want_resolver:	%empty	{ WANT("the address of a resolver such as 127.0.0.1"); } ;
want_file:	%empty	{ WANT("an absolute path"); } ;
want_map:	%empty	{ WANT("a table such as \"socketmap:unix:/run/map.sock:bindings\""); } ;
want_seconds:	%empty	{ WANT("a time such as 300s"); } ;
want_host:	%empty	{ WANT("a host such as \"mail.isp.example:587\""); } ;
want_level:	%empty	{ WANT("'none', 'may', 'encrypt', 'verify' or 'dane'"); } ;
want_domain:	%empty	{ WANT("a domain such as example.com or .example.com"); } ;
want_listen:	%empty	{ WANT("an address and a port such as 127.0.0.1:2525, or a path"); } ;
want_tcp:	%empty	{ WANT("an address and a port such as 127.0.0.1:2526"); } ;
want_listener:	%empty	{ WANT("the name of a listener"); } ;
want_front:	%empty	{ WANT("'smtp', 'lmtp', 'socks5' or 'proxy'"); } ;
want_mode:	%empty	{ WANT("the mode of a socket such as 0660"); } ;
want_front_tls:	%empty	{ WANT("'none', 'offered', 'required' or 'implicit'"); } ;
want_through:	%empty	{ WANT("'blind', 'strip' or 'terminate'"); } ;
want_newline:	%empty	{ WANT("'reject' or 'normalise'"); } ;
want_sender:	%empty	{ WANT("an address, a domain, or \"\" for the null sender"); } ;
want_sends:	%empty	{ WANT("a domain such as example.com"); } ;
want_zone:	%empty	{ WANT("the zone of a blocklist such as bl.example.net"); } ;
want_long:	%empty	{ WANT("a time such as 12h or 3d"); } ;
want_login:	%empty	{ WANT("a user name"); } ;

word:		plain | MX | FOR ;
plain:		WORD | STRING | MARK_MASK | FLOW_LOG | PORT_WARNING
	|	INCLUDE | BYPASS | BINDING | POLICY | ADDRESS
	|	EHLO | INTERFACE | UNUSABLE | ALLOW | UNIT | CGROUP | USER | GROUP | SOURCE
	|	OTHERWISE | TO | PORT | PROTOCOL | USE | PASS | REJECT | DEFAULT
	|	DEFAULT_BINDING | UPLINK | GATEWAY | TABLE | MEMBER | PICK | LIMIT
	|	OVERFLOW | WARMUP | DAY | PROBE | NORMAL | SUSPENDED | ROUTED | CONNECTIONS
	|	NEW | BURST | PER | DESTINATION | TCP | ICMP | EVERY | DOWN | UP | WEIGHT
	|	STICKY_DESTINATION | STICKY_CLIENT | ROUND_ROBIN | RANDOM | REMOVE
	|	SUSPEND | RESUME | RELAY | WORKERS | HOSTNAME | SIZE | SESSIONS
	|	CLIENT_SESSIONS | FAMILY | EIGHT_BIT | RESOLVER | ACCESS_LOG | REUSE
	|	MESSAGES | AGE | IDLE | OFF | SMARTHOST | TLS | TLS_CA | POLICY_MAP
	|	STS_MAP | LISTEN | INTERCEPT | NAME | MODE | CERTIFICATE | KEY | AUTH
	|	FILE | SOCKET | REQUIRED | PLAIN_TEXT | TRUST | PARAMETER | HEADER
	|	BARE_NEWLINE | RECEIVED | SENDER | RECIPIENT | PEER | CLIENT | LISTENER
	|	ON | DNS | SENDER_DOMAIN | BLOCKLIST | KEEP | REQUIRE | FCRDNS | WARN
	|	METRICS | BINDINGS | TRAFFIC ;
%%
static int yyreport_syntax_error(const yypcontext_t *context, struct conf *conf)
{
	yysymbol_kind_t kinds[YYNTOKENS];
	const char *names[YYNTOKENS];
	int n = yypcontext_expected_tokens(context, kinds, YYNTOKENS);

	for (int i = 0; i < n; i++)
		names[i] = yysymbol_name(kinds[i]);
	conf_syntax_error(conf, names, n > 0 ? (size_t)n : 0);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SPF: one zone, and what check_host() of RFC 7208 says of each of its domains. Every row is judged
 * twice: with all of DNS at hand, and with each answer coming only after it was asked for.
 */
#include "base/own.h"
#include "dns/spf.h"
#include "dns_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define LONG63	"a23456789012345678901234567890123456789012345678901234567890123"

static const char zone[] =
	/* whom records speak of */
	"mx.d.example A 192.0.2.11\nmx.d.example AAAA 2001:db8::11\n"
	"near.d.example A 192.0.2.99\nnear.d.example AAAA 2001:db8::99\n"
	"six.d.example AAAA 2001:db8::11\nfour.d.example A 192.0.2.11\n"
	"broken.d.example FAIL\n"
	"11.2.0.192.in-addr.arpa PTR other.example\n11.2.0.192.in-addr.arpa PTR MX.D.example.\n"
	"1.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR mx.d.example\n"
	"12.2.0.192.in-addr.arpa PTR liar.d.example\nliar.d.example A 192.0.2.98\n"
	"13.2.0.192.in-addr.arpa FAIL\n"
	/* sections 4.3 to 4.5 */
	"pass.example TXT v=spf1 ip4:192.0.2.11 ip6:2001:db8::11 -all\n"
	LONG63 ".example TXT v=spf1 +all\n"
	"case.example TXT V=sPf1 ~all\n"
	"only.example TXT hello\nonly.example TXT v=spf10 -all\nonly.example TXT v=spf1 +all\n"
	"two.example TXT v=spf1 +all\ntwo.example TXT v=spf1 +all\n"
	"other.example TXT v=spf2.0/pra -all\n"
	"glued.example TXT v=spf1mx\n"
	"empty.example TXT v=spf1\n"
	"spaces.example TXT v=spf1   ip4:192.0.2.11    -all  \n"
	"tab.example TXT v=spf1 ip4:192.0.2.11\t-all\n"
	"eight.example TXT v=spf1 a:\xef\xbb\xbfx.d.example -all\n"
	/* 4.6 */
	"late.example TXT v=spf1 ip4:192.0.2.11 -all moo\n"
	"modifier.example TXT v=spf1 moo.cow-far_out=man:dog/cat ip4:192.0.2.11 -all\n"
	"modifier1.example TXT v=spf1 moo/cow=dog ip4:192.0.2.11 -all\n"
	"modifier2.example TXT v=spf1 moo:cow=dog ip4:192.0.2.11 -all\n"
	"modifier3.example TXT v=spf1 1up=foo -all\n"
	"modifier4.example TXT v=spf1 =all\n"
	"modifier5.example TXT v=spf1 foo=%abc +all\n"
	"modifier6.example TXT v=spf1 default=pass\n"
	"neutral.example TXT v=spf1 ip4:192.0.2.77\n"
	"question.example TXT v=spf1 ?all\n"
	"first.example TXT v=spf1 all -all\n"
	/* 5.1 */
	"all1.example TXT v=spf1 -all.\nall2.example TXT v=spf1 -all:x.d.example\n"
	"all3.example TXT v=spf1 -all/8\n"
	/* 5.2 */
	"fails.example TXT v=spf1 ip4:192.0.2.77 -all\nsoft.example TXT v=spf1 ~all\n"
	"include.example TXT v=spf1 include:pass.example -all\n"
	"include1.example TXT v=spf1 include:fails.example ~all\n"
	"include2.example TXT v=spf1 include:soft.example +all\n"
	"include3.example TXT v=spf1 include:neutral.example -all\n"
	"include4.example TXT v=spf1 include:broken.d.example -all\n"
	"include5.example TXT v=spf1 include:late.example -all\n"
	"include6.example TXT v=spf1 include:mx.d.example -all\n"
	"include7.example TXT v=spf1 include -all\ninclude8.example TXT v=spf1 include: -all\n"
	"include9.example TXT v=spf1 include:pass.example/24 -all\n"
	/* 5.3 */
	"a.example TXT v=spf1 a:mx.d.example -all\n"
	"a-own.example TXT v=spf1 a -all\na-own.example A 192.0.2.11\na-own.example A 192.0.2.12\n"
	"a-near.example TXT v=spf1 a:near.d.example/24 -all\n"
	"a-near6.example TXT v=spf1 a:near.d.example//64 -all\n"
	"a-both.example TXT v=spf1 a:near.d.example/24//64 -all\n"
	"a-zero.example TXT v=spf1 a:nobody.d.example/0 -all\n"
	"a-zero6.example TXT v=spf1 a:six.d.example//0 -all\n"
	"a-bits1.example TXT v=spf1 a/33 -all\na-bits2.example TXT v=spf1 a//129 -all\n"
	"a-bits3.example TXT v=spf1 a/24/64 -all\na-bits4.example TXT v=spf1 a/024 -all\n"
	"a-bits5.example TXT v=spf1 a/ -all\na-bits6.example TXT v=spf1 a// -all\n"
	"a-colon.example TXT v=spf1 a:foo:bar/baz.example -all\nfoo:bar/baz.example A 192.0.2.11\n"
	"a-broken.example TXT v=spf1 a:broken.d.example +all\n"
	"a-empty.example TXT v=spf1 a: +all\na-port.example TXT v=spf1 a:d.example:8080 +all\n"
	"a-number.example TXT v=spf1 a:192.0.2.11 +all\na-top.example TXT v=spf1 a:museum +all\n"
	"a-top1.example TXT v=spf1 a:museum. +all\na-top2.example TXT v=spf1 a:d.-example +all\n"
	"a-top3.example TXT v=spf1 a:foo.xn--zckzah -all\nfoo.xn--zckzah A 192.0.2.11\n"
	"a-dots.example TXT v=spf1 a:mx...example -all\n"
	"a-long.example TXT v=spf1 a:x" LONG63 ".example -all\n"
	/* 5.4 */
	"mx.example TXT v=spf1 mx -all\nmx.example MX 10 near.d.example\nmx.example MX 20 mx.d.example.\n"
	"mx-other.example TXT v=spf1 mx:mx.example -all\n"
	"mx-near.example TXT v=spf1 mx:mx-one.example/24 -all\nmx-one.example MX 5 near.d.example\n"
	"mx-none.example TXT v=spf1 mx:four.d.example -all\n"
	"mx-null.example TXT v=spf1 mx -all\nmx-null.example MX 0 .\n"
	"mx-many.example TXT v=spf1 mx -all\n"
	"mx-many.example MX 0 1.d.example\nmx-many.example MX 0 2.d.example\n"
	"mx-many.example MX 0 3.d.example\nmx-many.example MX 0 4.d.example\n"
	"mx-many.example MX 0 5.d.example\nmx-many.example MX 0 6.d.example\n"
	"mx-many.example MX 0 7.d.example\nmx-many.example MX 0 8.d.example\n"
	"mx-many.example MX 0 9.d.example\nmx-many.example MX 0 a.d.example\n"
	"mx-many.example MX 0 mx.d.example\n"
	"mx-broken.example TXT v=spf1 mx -all\nmx-broken.example MX 0 broken.d.example\n"
	/* 5.5 */
	"ptr.example TXT v=spf1 ptr:d.example -all\n"
	"d.example TXT v=spf1 ptr -all\n"
	"ptr-bits.example TXT v=spf1 ptr/0 -all\nptr-empty.example TXT v=spf1 ptr: +all\n"
	"ptr-not.example TXT v=spf1 ptr:notd.example -all\n"
	/* 5.6 */
	"ip4-net.example TXT v=spf1 ip4:192.0.2.0/28 -all\nip4-any.example TXT v=spf1 ip4:10.0.0.1/0 -all\n"
	"ip4-33.example TXT v=spf1 ip4:192.0.2.11/33 +all\nip4-032.example TXT v=spf1 ip4:192.0.2.11/032 +all\n"
	"ip4-bare.example TXT v=spf1 ip4 +all\nip4-port.example TXT v=spf1 ip4:192.0.2.11:25 +all\n"
	"ip4-short.example TXT v=spf1 ip4:192.0.2 +all\nip4-dual.example TXT v=spf1 ip4:192.0.2.11//32 +all\n"
	"ip4-zero.example TXT v=spf1 ip4:192.0.02.11 +all\n"
	"ip6-net.example TXT v=spf1 ip6:2001:DB8:8000::/33 ip6:2001:db8::/120 -all\n"
	"ip6-mapped.example TXT v=spf1 ip6:::ffff:192.0.2.11 -all\n"
	"ip6-129.example TXT v=spf1 ip6:2001:db8::11/129 +all\nip6-bad.example TXT v=spf1 ip6::cafe::babe +all\n"
	/* 5.7 */
	"exists.example TXT v=spf1 exists:four.d.example -all\n"
	"exists-six.example TXT v=spf1 exists:six.d.example -all\n"
	"exists-none.example TXT v=spf1 exists +all\nexists-cidr.example TXT v=spf1 exists:four.d.example/24 +all\n"
	"exists-broken.example TXT v=spf1 exists:broken.d.example -all\n"
	/* 6 */
	"redirect.example TXT v=spf1 ip4:192.0.2.77 redirect=pass.example\n"
	"redirect1.example TXT v=spf1 redirect=redirect1.example ~all\n"
	"redirect2.example TXT v=spf1 redirect=mx.d.example\n"
	"redirect3.example TXT v=spf1 ?all redirect=\n"
	"redirect4.example TXT v=spf1 redirect=pass.example redirect=pass.example\n"
	"redirect5.example TXT v=spf1 redirect:pass.example\nredirect6.example TXT v=spf1 redirect=-all ?all\n"
	"exp.example TXT v=spf1 exp=nobody.d.example ip4:192.0.2.11 -all\n"
	"exp1.example TXT v=spf1 exp= -all\nexp2.example TXT v=spf1 exp=a.b -all exp=a.b\n"
	/* 7 */
	"macro-i.example TXT v=spf1 exists:%{i}.i.example -all\n192.0.2.11.i.example A 127.0.0.2\n"
	"2.0.0.1.0.d.b.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.1.i.example A 127.0.0.2\n"
	"macro-ir.example TXT v=spf1 exists:%{ir}.%{v}._spf.%{d2} -all\n"
	"11.2.0.192.in-addr._spf.macro-ir.example A 127.0.0.2\n"
	"macro-o.example TXT v=spf1 exists:%{l}.at.%{o1r}.x.example -all\npostmaster.at.macro-o.x.example A 127.0.0.2\n"
	"macro-s.example TXT v=spf1 exists:%{s1r@}.x.example +all\n"
	"macro-delim.example TXT v=spf1 exists:%{d1r-}.y.example -all\nmacro.y.example A 127.0.0.1\n"
	"macro-p.example TXT v=spf1 exists:%{p}.p.example -all\nother.example.p.example A 127.0.0.1\n"
	"mx.d.example.p.example A 127.0.0.1\n"
	"macro-h.example TXT v=spf1 exists:%{h}.h.example -all\nhello.example.h.example A 127.0.0.1\n"
	"macro-mania.example TXT v=spf1 exists:a%%b%_c%-d.z.example -all\n"
	"macro-0.example TXT v=spf1 exists:%{d0}.x.example +all\nmacro-c.example TXT v=spf1 exists:%{c}.x.example +all\n"
	"macro-x.example TXT v=spf1 exists:%{x}.x.example +all\nmacro-end.example TXT v=spf1 exists:x.%{d +all\n"
	"macro-percent.example TXT v=spf1 exists:x.example% +all\nmacro-top.example TXT v=spf1 exists:%{d}x +all\n"
	"macro-long.example TXT v=spf1 exists:%{d}.%{d}.%{d}.%{d}.%{d}.%{d}.%{d}.%{d}.%{d}.%{d}.%{d}.%{d}"
	".%{d}.%{d}.%{d}.four.d.example -all\n"
	/* 4.6.4 */
	"loop.example TXT v=spf1 include:loop.example -all\n"
	"ten.example TXT v=spf1 a:near.d.example a:near.d.example a:near.d.example a:near.d.example "
	"a:near.d.example a:near.d.example a:near.d.example a:near.d.example a:near.d.example a:mx.d.example -all\n"
	"eleven.example TXT v=spf1 a:near.d.example a:near.d.example a:near.d.example a:near.d.example "
	"a:near.d.example a:near.d.example a:near.d.example a:near.d.example a:near.d.example "
	"a:near.d.example a:mx.d.example -all\n"
	"nested.example TXT v=spf1 include:ten.example -all\n"
	"unused.example TXT v=spf1 ip4:192.0.2.11 include:loop.example -all\n"
	"void2.example TXT v=spf1 a:no1.d.example a:no2.d.example a:mx.d.example -all\n"
	"void3.example TXT v=spf1 a:no1.d.example a:no2.d.example a:no3.d.example a:mx.d.example -all\n";

static const struct { const char *what, *ip, *domain, *want; } rows[] = {
#define IPV4	"192.0.2.11"
#define IPV6	"2001:db8::11"
	{ "4.3 a label of 63", IPV4, LONG63 ".example", "pass" },
	{ "4.3 a label of 64", IPV4, "x" LONG63 ".example", "none" },
	{ "4.3 an empty label", IPV4, "a..example", "none" },
	{ "4.3 one label", IPV4, "localhost", "none" },
	{ "4.3 nothing", IPV4, "", "none" },
	{ "4.4 DNS fails", IPV4, "broken.d.example", "temperror" },
	{ "4.5 no such domain", IPV4, "nobody.d.example", "none" },
	{ "4.5 no record of that kind", IPV4, "other.example", "none" },
	{ "4.5 the version is a word of its own", IPV4, "glued.example", "none" },
	{ "4.5 others are ignored", IPV4, "only.example", "pass" },
	{ "4.5 two of them", IPV4, "two.example", "permerror" },
	{ "4.5 the version without case", IPV4, "case.example", "softfail" },
	{ "4.5 nothing but the version", IPV4, "empty.example", "neutral" },
	{ "4.6.1 several blanks", IPV4, "spaces.example", "pass" },
	{ "4.6.1 a tab is no blank", IPV4, "tab.example", "permerror" },
	{ "3.1 not ASCII", IPV4, "eight.example", "permerror" },
	{ "4.6 a mistake after what matches", IPV4, "late.example", "permerror" },
	{ "4.6.1 an unknown modifier", IPV4, "modifier.example", "pass" },
	{ "4.6.1 a slash before =", IPV4, "modifier1.example", "permerror" },
	{ "4.6.1 a colon before =", IPV4, "modifier2.example", "permerror" },
	{ "12 a modifier begins with a letter", IPV4, "modifier3.example", "permerror" },
	{ "12 a modifier has a name", IPV4, "modifier4.example", "permerror" },
	{ "12 macros of unknown modifiers", IPV4, "modifier5.example", "permerror" },
	{ "6 unknown modifiers change nothing", IPV4, "modifier6.example", "neutral" },
	{ "4.7 nothing matches", IPV4, "neutral.example", "neutral" },
	{ "4.6.2 a question mark", IPV4, "question.example", "neutral" },
	{ "4.6.2 the first one counts", IPV4, "first.example", "pass" },
	{ "5.1 all with a dot", IPV4, "all1.example", "permerror" },
	{ "5.1 all with a domain", IPV4, "all2.example", "permerror" },
	{ "5.1 all with bits", IPV4, "all3.example", "permerror" },
	{ "5.2 what is included passes", IPV4, "include.example", "pass" },
	{ "5.2 it fails", IPV4, "include1.example", "softfail" },
	{ "5.2 it softly fails", IPV4, "include2.example", "pass" },
	{ "5.2 it is neutral", IPV4, "include3.example", "fail" },
	{ "5.2 DNS fails", IPV4, "include4.example", "temperror" },
	{ "5.2 it has a mistake", IPV4, "include5.example", "permerror" },
	{ "5.2 it has no record", IPV4, "include6.example", "permerror" },
	{ "5.2 without a domain", IPV4, "include7.example", "permerror" },
	{ "5.2 with an empty one", IPV4, "include8.example", "permerror" },
	{ "5.2 with bits", IPV4, "include9.example", "permerror" },
	{ "5.3 a", IPV4, "a.example", "pass" },
	{ "5.3 a, IPv6", IPV6, "a.example", "pass" },
	{ "5.3 a, another", "192.0.2.12", "a.example", "fail" },
	{ "5.3 its own name, the second address", "192.0.2.12", "a-own.example", "pass" },
	{ "5.3 its own name, no AAAA", IPV6, "a-own.example", "fail" },
	{ "5.3 a network", IPV4, "a-near.example", "pass" },
	{ "5.3 its bits are for IPv4", IPV6, "a-near.example", "fail" },
	{ "5.3 an IPv6 network", IPV6, "a-near6.example", "pass" },
	{ "5.3 its bits are for IPv6", IPV4, "a-near6.example", "fail" },
	{ "5.3 both", IPV4, "a-both.example", "pass" },
	{ "5.3 both, IPv6", IPV6, "a-both.example", "pass" },
	{ "5.3 no bits of nobody", IPV4, "a-zero.example", "fail" },
	{ "5.3 no bits of an IPv6 address, IPv4", IPV4, "a-zero6.example", "fail" },
	{ "5.3 no bits of an IPv6 address", "2001:db9::1", "a-zero6.example", "pass" },
	{ "5.3 33 bits", IPV4, "a-bits1.example", "permerror" },
	{ "5.3 129 bits", IPV4, "a-bits2.example", "permerror" },
	{ "5.3 one slash for IPv6", IPV4, "a-bits3.example", "permerror" },
	{ "5.3 bits with a zero in front", IPV4, "a-bits4.example", "permerror" },
	{ "5.3 a slash and nothing", IPV4, "a-bits5.example", "permerror" },
	{ "5.3 two slashes and nothing", IPV4, "a-bits6.example", "permerror" },
	{ "7.1 a colon and a slash in a name", IPV4, "a-colon.example", "pass" },
	{ "5 DNS fails", IPV4, "a-broken.example", "temperror" },
	{ "5.3 an empty domain", IPV4, "a-empty.example", "permerror" },
	{ "7.1 a port", IPV4, "a-port.example", "permerror" },
	{ "7.1 a number at the top", IPV4, "a-number.example", "permerror" },
	{ "7.1 nothing but a top label", IPV4, "a-top.example", "permerror" },
	{ "7.1 a dot does not help", IPV4, "a-top1.example", "permerror" },
	{ "7.1 a hyphen in front", IPV4, "a-top2.example", "permerror" },
	{ "7.1 hyphens within", IPV4, "a-top3.example", "pass" },
	{ "4.8 empty labels match nothing", IPV4, "a-dots.example", "fail" },
	{ "4.8 long labels match nothing", IPV4, "a-long.example", "fail" },
	{ "5.4 mx", IPV4, "mx.example", "pass" },
	{ "5.4 mx, IPv6", IPV6, "mx.example", "pass" },
	{ "5.4 mx of another domain", IPV4, "mx-other.example", "pass" },
	{ "5.4 a network", IPV4, "mx-near.example", "pass" },
	{ "5.4 no MX is not the name itself", IPV4, "mx-none.example", "fail" },
	{ "5.4 the null MX", IPV4, "mx-null.example", "fail" },
	{ "4.6.4 eleven MX", IPV4, "mx-many.example", "permerror" },
	{ "5.4 DNS fails for one", IPV4, "mx-broken.example", "temperror" },
	{ "5.5 ptr", IPV4, "ptr.example", "pass" },
	{ "5.5 ptr, IPv6", IPV6, "ptr.example", "pass" },
	{ "5.5 its own domain", IPV4, "d.example", "pass" },
	{ "5.5 a name that does not lead back", "192.0.2.12", "d.example", "fail" },
	{ "5.5 DNS fails: no match", "192.0.2.13", "d.example", "fail" },
	{ "5.5 the end of a name is no domain", IPV4, "ptr-not.example", "fail" },
	{ "5.5 with bits", IPV4, "ptr-bits.example", "permerror" },
	{ "5.5 an empty domain", IPV4, "ptr-empty.example", "permerror" },
	{ "5.6 an address", IPV4, "pass.example", "pass" },
	{ "5.6 an IPv6 address", IPV6, "pass.example", "pass" },
	{ "5.6 another", "192.0.2.12", "pass.example", "fail" },
	{ "5.6 a network", IPV4, "ip4-net.example", "pass" },
	{ "5.6 outside of it", "192.0.2.16", "ip4-net.example", "fail" },
	{ "5.6 no bits", IPV4, "ip4-any.example", "pass" },
	{ "5.6 no bits are for its family", IPV6, "ip4-any.example", "fail" },
	{ "5.6 33 bits", IPV4, "ip4-33.example", "permerror" },
	{ "5.6 bits with a zero in front", IPV4, "ip4-032.example", "permerror" },
	{ "5.6 no address", IPV4, "ip4-bare.example", "permerror" },
	{ "5.6 a port", IPV4, "ip4-port.example", "permerror" },
	{ "5.6 three octets", IPV4, "ip4-short.example", "permerror" },
	{ "5.6 two slashes", IPV4, "ip4-dual.example", "permerror" },
	{ "5.6 an octet with a zero in front", IPV4, "ip4-zero.example", "permerror" },
	{ "5.6 an IPv6 network", IPV6, "ip6-net.example", "pass" },
	{ "5 a mapped address is not the IPv4 one", IPV4, "ip6-mapped.example", "fail" },
	{ "5.6 129 bits", IPV4, "ip6-129.example", "permerror" },
	{ "5.6 no IPv6 address", IPV4, "ip6-bad.example", "permerror" },
	{ "5.7 exists", IPV4, "exists.example", "pass" },
	{ "5.7 is asked for by IPv4, whoever comes", IPV6, "exists.example", "pass" },
	{ "5.7 AAAA is not enough", IPV6, "exists-six.example", "fail" },
	{ "5.7 without a domain", IPV4, "exists-none.example", "permerror" },
	{ "5.7 with bits", IPV4, "exists-cidr.example", "permerror" },
	{ "5.7 DNS fails", IPV4, "exists-broken.example", "temperror" },
	{ "6.1 redirect", IPV4, "redirect.example", "pass" },
	{ "6.1 only where nothing matches", IPV4, "redirect1.example", "softfail" },
	{ "6.1 to what has no record", IPV4, "redirect2.example", "permerror" },
	{ "6.1 to nothing", IPV4, "redirect3.example", "permerror" },
	{ "6 twice", IPV4, "redirect4.example", "permerror" },
	{ "6.1 with a colon", IPV4, "redirect5.example", "permerror" },
	{ "6.1 to no name", IPV4, "redirect6.example", "permerror" },
	{ "6.2 what cannot be explained", "192.0.2.12", "exp.example", "fail" },
	{ "6.2 an empty domain", IPV4, "exp1.example", "permerror" },
	{ "6 exp twice", IPV4, "exp2.example", "permerror" },
	{ "7.3 i", IPV4, "macro-i.example", "pass" },
	{ "7.3 i, IPv6", IPV6, "macro-i.example", "pass" },
	{ "7.3 ir, v and d2", IPV4, "macro-ir.example", "pass" },
	{ "7.3 l and o1r", IPV4, "macro-o.example", "pass" },
	{ "7.3 @ is no delimiter", IPV4, "macro-s.example", "permerror" },
	{ "7.3 other delimiters", IPV4, "macro-delim.example", "pass" },
	{ "7.3 p", IPV4, "macro-p.example", "pass" },
	{ "7.3 p that is not known", "192.0.2.12", "macro-p.example", "fail" },
	{ "7.3 h", IPV4, "macro-h.example", "pass" },
	{ "7.1 percent, blank, and both: no such name", IPV4, "macro-mania.example", "fail" },
	{ "7.3 zero parts", IPV4, "macro-0.example", "permerror" },
	{ "7.2 c is for explanations", IPV4, "macro-c.example", "permerror" },
	{ "7.2 no such letter", IPV4, "macro-x.example", "permerror" },
	{ "7.1 no closing brace", IPV4, "macro-end.example", "permerror" },
	{ "7.1 a percent sign alone", IPV4, "macro-percent.example", "permerror" },
	{ "7.1 a macro and no dot behind it", IPV4, "macro-top.example", "permerror" },
	{ "7.3 a long name loses its front", IPV4, "macro-long.example", "fail" },
	{ "4.6.4 a loop", IPV4, "loop.example", "permerror" },
	{ "4.6.4 ten look-ups", IPV4, "ten.example", "pass" },
	{ "4.6.4 eleven", IPV4, "eleven.example", "permerror" },
	{ "4.6.4 those of the included count", IPV4, "nested.example", "permerror" },
	{ "4.6.4 what is not reached does not", IPV4, "unused.example", "pass" },
	{ "4.6.4 two that do not exist", IPV4, "void2.example", "pass" },
	{ "4.6.4 three", IPV4, "void3.example", "permerror" },
};

static enum spf_result judge(size_t row, bool patient, char why[static SPF_WHY])
{
	struct dns_table table = { .text = zone, .patient = patient };
	struct dns_source source = { dns_table_ask, &table };
	struct spf_query query = { .domain = rows[row].domain, .helo = "hello.example" };
	enum spf_result result = SPF_PENDING;

	assert_int_equal(ip_parse(rows[row].ip, &query.ip), 0);
	for (int i = 0; i < 100 && result == SPF_PENDING; i++)
		result = spf_check(&query, &source, why);
	dns_table_drop(&table);
	return result;
}

static void test_rows(void **state)
{
	size_t failed = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char why[SPF_WHY], later[SPF_WHY];
		enum spf_result result = judge(i, false, why);

		if (strcmp(spf_result_name(result), rows[i].want) != 0) {
			print_error("%s: %s: got %s (%s), want %s\n", rows[i].what, rows[i].domain,
				    spf_result_name(result), why, rows[i].want);
			failed++;
		} else if (judge(i, true, later) != result || strcmp(why, later) != 0) {
			print_error("%s: answers that come later make it '%s' instead of '%s'\n",
				    rows[i].what, later, why);
			failed++;
		}
	}
	assert_int_equal(failed, 0);
}

static void test_words(void **state)
{
	static const struct { const char *domain, *why; } words[] = {
		{ "fails.example", "'-all' of fails.example matches" },
		{ "two.example", "two.example has 2 SPF records" },
		{ "late.example", "'moo' is wrong" },
		{ "loop.example", "more than 10 terms that ask DNS" },
		{ "void3.example", "more than 2 names that do not exist" },
		{ "a-broken.example", "broken.d.example: no answer in time" },
		{ "eight.example", "'a:???x.d.example' is wrong" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct dns_table table = { .text = zone };
		struct dns_source source = { dns_table_ask, &table };
		struct spf_query query = { .domain = words[i].domain };
		char why[SPF_WHY];

		assert_int_equal(ip_parse(IPV4, &query.ip), 0);
		(void)spf_check(&query, &source, why);
		assert_string_equal(why, words[i].why);
		dns_table_drop(&table);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

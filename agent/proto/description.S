/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interfaces inside the programs, so that what is described is what is compiled. */
	.section .rodata
	.global varlink_description
	.type varlink_description, @object
varlink_description:
	.incbin "org.outbind.varlink"
	.byte 0
	.size varlink_description, . - varlink_description
	.global varlink_relay_description
	.type varlink_relay_description, @object
varlink_relay_description:
	.incbin "org.outbind.relay.varlink"
	.byte 0
	.size varlink_relay_description, . - varlink_relay_description
	.section .note.GNU-stack, "", @progbits

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interface inside the programs, so that what is described is what is compiled. */
	.section .rodata
	.global varlink_description
	.type varlink_description, @object
varlink_description:
	.incbin "org.outbind.varlink"
	.byte 0
	.size varlink_description, . - varlink_description
	.section .note.GNU-stack, "", @progbits

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The template inside the program, so that an agent never finds another version's rules. */
	.section .rodata
	.global template_text
template_text:
	.incbin "outbind.nft"
	.byte 0
	.section .note.GNU-stack, "", @progbits

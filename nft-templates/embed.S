/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The templates inside the program, so that an agent never finds another version's rules. */
	.section .rodata
	.global template_text
template_text:
	.incbin "outbind.nft"
	.byte 0
	.global template_capture_text
template_capture_text:
	.incbin "capture.nft"
	.byte 0
	.section .note.GNU-stack, "", @progbits

/* SPDX-License-Identifier: MIT */
/* The property of an object of x86-64 whose indirect branches find their landings: IBT, and no more.
 * With it alone an object takes the mark of shadow stacks from whatever it is linked into. */
    .section .note.gnu.property, "a"
    .balign 8
    .long 4, 16, 5              /* sizes of name and contents; NT_GNU_PROPERTY_TYPE_0 */
    .asciz "GNU"
    .long 0xc0000002, 4, 1, 0   /* GNU_PROPERTY_X86_FEATURE_1_AND: IBT; padding */

    .section .note.GNU-stack, "", @progbits

/* SPDX-License-Identifier: MIT */
/* void nidoi_frames_as_if(void *end, void (*fn)(void *arg), void *arg): calls fn(arg). To an unwinder that looks
 * from there, its caller is the context that fcontext has suspended with its saved registers below `end`. */
    .text
    .globl nidoi_frames_as_if
    .hidden nidoi_frames_as_if
    .type nidoi_frames_as_if, %function
    .globl nidoi_frames_as_if_return
    .hidden nidoi_frames_as_if_return
    .balign 16
nidoi_frames_as_if:
    .cfi_startproc
    hint #34 /* bti c */
    stp x29, x30, [sp, #-32]!
    .cfi_adjust_cfa_offset 32
    .cfi_offset x29, -32
    .cfi_offset x30, -24
    str x19, [sp, #16]
    .cfi_offset x19, -16
    mov x19, x0
    mov x0, x2
    .cfi_remember_state
    .cfi_def_cfa x19, 0
    .cfi_offset x30, -0x18
    .cfi_offset x29, -0x20
    .cfi_offset x28, -0x28
    .cfi_offset x27, -0x30
    .cfi_offset x26, -0x38
    .cfi_offset x25, -0x40
    .cfi_offset x24, -0x48
    .cfi_offset x23, -0x50
    .cfi_offset x22, -0x58
    .cfi_offset x21, -0x60
    .cfi_offset x20, -0x68
    .cfi_offset x19, -0x70
    blr x1
nidoi_frames_as_if_return:
    .cfi_restore_state
    ldr x19, [sp, #16]
    ldp x29, x30, [sp], #32
    .cfi_adjust_cfa_offset -32
    .cfi_restore x19
    .cfi_restore x29
    .cfi_restore x30
    ret
    .cfi_endproc
    .size nidoi_frames_as_if, .-nidoi_frames_as_if

    .section .note.GNU-stack, "", %progbits

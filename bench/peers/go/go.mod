// SPDX-License-Identifier: MIT
module nido.invalid/peer-go

go 1.19

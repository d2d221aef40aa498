// Package intrinsic reads and computes the States.* functions of the Amazon
// States Language.
//
// It must never know what a state is: paths are resolved by whoever asks.
package intrinsic

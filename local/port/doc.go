// Package port serves the embedded AWS on a TCP port: the calls that come by the
// thousand by itself, and all others by net/http.
//
// It knows HTTP, and must never know what a call means.
package port

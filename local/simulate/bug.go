package simulate

import (
	"io/fs"
	"net/http"

	"portolan/local"
)

// A Bug is something wrong on purpose, to show that the promises' checkers find
// it. Each of its parts may be missing.
type Bug struct {
	Name string

	// Build changes how a function's handler is built.
	Build func(function string, build local.Builder) local.Builder

	// Call makes a call of a function or machine go wrong; it returns false to leave
	// the call alone.
	Call func(c *call, next http.Handler, rw http.ResponseWriter, r *http.Request) bool

	// Files changes what is deployed.
	Files func(fs.FS) fs.FS
}

// Package story tells what Portolan does, from a cluster that is asked for to one
// that is gone, against a control plane on one machine. `make demo` prints it, and
// a test runs it in virtual time.
//
// Everything in it goes through the doors that users and AWS have: the API, AWS's
// own API, and event documents on the bus.
package story

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"portolan/local"
	"portolan/shared/contract"
)

// A Stage is where the story is told.
type Stage struct {
	Local *local.Local
	Out   io.Writer

	// Kubeconfig is that of the cluster which is adopted, in the story of one.
	Kubeconfig []byte

	// WrapTransport, where it is set, wraps the transport to that cluster.
	WrapTransport func(http.RoundTripper) http.RoundTripper

	// Engines are what instances of a swarm really are, in the story of real ones.
	Engines Engines

	orchestrator contract.Orchestrator
	person       *person // who has the cluster that is adopted
	steps        int
}

// patience is how long an operation may take on AWS's own clock.
const patience = 4 * time.Hour

func (s *Stage) heading(title string) {
	s.steps++
	fmt.Fprintf(s.Out, "\n%d. %s\n", s.steps, title)
}

// in, decided and happened print what came in, what was decided and why, and what
// came of it.
func (s *Stage) in(format string, args ...any)       { s.print("in", format, args...) }
func (s *Stage) decided(format string, args ...any)  { s.print("decided", format, args...) }
func (s *Stage) happened(format string, args ...any) { s.print("happened", format, args...) }

func (s *Stage) print(kind, format string, args ...any) {
	fmt.Fprintf(s.Out, "   %-9s %s\n", kind, fmt.Sprintf(format, args...))
}

// Call sends a signed request to the API and decodes its answer into out, unless
// out is nil.
func (s *Stage) Call(ctx context.Context, method, path string, body, out any) (status int, err error) {
	var text []byte
	if body != nil {
		if text, err = json.Marshal(body); err != nil {
			return 0, err
		}
	}
	request := httptest.NewRequestWithContext(ctx, method, "http://api.local"+path, bytes.NewReader(text))
	request.Header.Set("Content-Type", "application/json")
	sum := sha256.Sum256(text)
	err = v4.NewSigner().SignHTTP(ctx, local.User, request, hex.EncodeToString(sum[:]),
		"execute-api", "us-east-1", s.Local.Clock.Now())
	if err != nil {
		return 0, err
	}
	recorder := httptest.NewRecorder()
	s.Local.API.ServeHTTP(recorder, request)
	if out != nil && recorder.Code < 300 {
		if err := json.Unmarshal(recorder.Body.Bytes(), out); err != nil {
			return recorder.Code, fmt.Errorf("%s %s answered %d, and no JSON: %w", method, path, recorder.Code, err)
		}
	}
	if recorder.Code >= http.StatusInternalServerError {
		return recorder.Code, fmt.Errorf("%s %s answered %d: %s", method, path, recorder.Code, recorder.Body)
	}
	return recorder.Code, nil
}

// expect is call for an answer that has to have that status.
func (s *Stage) expect(ctx context.Context, status int, method, path string, body, out any) error {
	got, err := s.Call(ctx, method, path, body, out)
	if err != nil {
		return err
	}
	if got != status {
		var problem contract.Problem
		_, _ = s.Call(ctx, method, path, body, &problem)
		return fmt.Errorf("%s %s answered %d and not %d", method, path, got, status)
	}
	return nil
}

// get reads a resource of the API.
func (s *Stage) get(ctx context.Context, path string, out any) error {
	return s.expect(ctx, http.StatusOK, http.MethodGet, path, nil, out)
}

// follow waits for the end of an operation, which has to be the wanted one.
func (s *Stage) follow(ctx context.Context, o contract.Operation, want contract.OperationStatus) (contract.Operation, error) {
	return s.followWhile(ctx, o, want, func() error { return nil })
}

// followWhile is follow that watches something meanwhile.
func (s *Stage) followWhile(ctx context.Context, o contract.Operation, want contract.OperationStatus,
	watch func() error) (contract.Operation, error) {
	began := s.Local.Clock.Now()
	err := s.until(ctx, fmt.Sprintf("operation %s (%s) ends", o.Id, o.Kind), func() (bool, error) {
		if err := watch(); err != nil {
			return false, err
		}
		err := s.get(ctx, "/v1/operations/"+o.Id, &o)
		return o.EndedAt != (time.Time{}), err
	})
	if err != nil {
		return o, err
	}
	took := s.Local.Clock.Now().Sub(began).Round(time.Second)
	s.happened("%s %s after %v of AWS's time: %s", o.Kind, o.Status, took, o.Reason)
	if o.Status != want {
		return o, fmt.Errorf("operation %s ended %s and not %s: %s (left: %v)", o.Id, o.Status, want, o.Reason, o.Left)
	}
	return o, nil
}

// until looks every few seconds of AWS's time until something holds.
func (s *Stage) until(ctx context.Context, what string, holds func() (bool, error)) error {
	for deadline := s.Local.Clock.Now().Add(patience); s.Local.Clock.Now().Before(deadline); {
		ok, err := holds()
		if err != nil || ok {
			return err
		}
		if err := s.Local.Clock.Sleep(ctx, 5*time.Second); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s: not within %v", what, patience)
}

// days are today and the day before, for lists of one day: a story may go on over midnight.
func (s *Stage) days() []string {
	now := s.Local.Clock.Now()
	return []string{now.Format(time.DateOnly), now.AddDate(0, 0, -1).Format(time.DateOnly)}
}

// audit is the audit trail of the service, newest first.
func (s *Stage) audit(ctx context.Context) ([]contract.AuditRecord, error) {
	var all []contract.AuditRecord
	for _, day := range s.days() {
		var page contract.AuditPage
		err := s.get(ctx, "/v1/audit?cluster="+cluster+"&service="+service+"&limit=100&day="+day, &page)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
	}
	return all, nil
}

// settle gives everything that is under way in the time that AWS would need.
func (s *Stage) settle(ctx context.Context) error { return s.Local.Clock.Sleep(ctx, 3*time.Minute) }

// aws is the configuration of the person who tells the story.
func (s *Stage) aws() aws.Config { return s.Local.UserConfig() }

package swarm

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
)

// forks takes what starts processes to a thread that lasts as long as this process:
// the kernel ends a child with the thread, and not the process, that made it.
var forks = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for do := range work {
			do()
		}
	}()
	return work
})

// A process is the first one of namespaces, which all that is in them ends with.
type process struct {
	command *exec.Cmd
	stdin   io.WriteCloser
	ended   chan struct{} // is closed when the process has ended
}

// startProcess starts a process in new namespaces. It is in a process group of its own,
// so that a Ctrl-C reaches only those who know what to end first, and is killed when
// this process ends.
func startProcess(log *os.File, namespaces uintptr, program string, arguments ...string) (*process, error) {
	p := &process{command: exec.Command(program, arguments...), ended: make(chan struct{})}
	p.command.Stdout, p.command.Stderr = log, log
	p.command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces, Setpgid: true, Pdeathsig: syscall.SIGKILL}
	var err error
	if p.stdin, err = p.command.StdinPipe(); err != nil {
		return nil, err
	}
	started := make(chan error)
	forks() <- func() { started <- p.command.Start() }
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s in namespaces of its own: %w", program, err)
	}
	go func() {
		// How it ended is in ProcessState, and why in its log.
		_ = p.command.Wait()
		close(p.ended)
	}()
	return p, nil
}

// kill ends the process and all that is in its namespaces at once.
func (p *process) kill() {
	// It fails only for a process that has ended.
	_ = p.command.Process.Kill()
	<-p.ended
}

func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// network runs commands of ip, one a line, in the network of the process.
func (p *process) network(ctx context.Context, commands ...string) error {
	return run(ctx, strings.Join(commands, "\n"), "nsenter", "--net", "--target", fmt.Sprint(p.command.Process.Pid), "ip", "-batch", "-")
}

// run runs a program to its end, and returns an error with what it said.
func run(ctx context.Context, input, program string, arguments ...string) error {
	command := exec.CommandContext(ctx, program, arguments...)
	command.Stdin = strings.NewReader(input)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(append(command.Args, input), " "), err, out)
	}
	return nil
}

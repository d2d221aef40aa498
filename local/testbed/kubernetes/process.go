package kubernetes

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// A process is a running component.
type process struct {
	name    string
	log     string // the file with all that it says
	command *exec.Cmd
	life    io.Closer     // the component ends when it is closed, or when this process ends
	ended   chan struct{} // is closed when the component has ended
}

// startProcess starts a component of the program in a directory. It is in a process
// group of its own, so that a Ctrl-C reaches only those who know what to end first.
func startProcess(program, directory, name string, arguments ...string) (*process, error) {
	p := &process{name: name, log: filepath.Join(directory, name+".log"), ended: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.command = exec.Command(program, append([]string{name}, arguments...)...)
	p.command.Dir = directory
	p.command.Env = append(os.Environ(), "HOME="+directory)
	p.command.Stdout, p.command.Stderr = log, log
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if p.life, err = p.command.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		// How it ended is in ProcessState, and why in its log.
		_ = p.command.Wait()
		close(p.ended)
	}()
	return p, nil
}

// hasEnded returns why a process that should still run does not.
func (p *process) hasEnded() error {
	select {
	case <-p.ended:
		return fmt.Errorf("%s ended (%v); the end of its log:\n%s", p.name, p.command.ProcessState, p.tail())
	default:
		return nil
	}
}

// stop ends the process at once: what it keeps is thrown away anyway.
func (p *process) stop() {
	p.life.Close()
	// It fails only for a process that has ended.
	_ = p.command.Process.Kill()
	<-p.ended
}

// tail returns the last lines of what the process said.
func (p *process) tail() string {
	content, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

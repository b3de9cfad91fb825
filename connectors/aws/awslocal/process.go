package awslocal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"
)

const (
	// initTimeout bounds the start of a program. Lambda has 10 s; a busy machine that runs tests gets more.
	initTimeout = 30 * time.Second
	// logWait bounds the wait for what a program wrote before it answered.
	logWait = time.Second
)

// logMark, on a line of its own, is written by us behind what a program has written. A program has no reason to write it.
const logMark = "\x00awslocal-mark\x00\n"

// process is a program that speaks the Runtime API; it has a listener of its own, which tells it from its siblings.
type process struct {
	f        *function
	cmd      *exec.Cmd
	listener net.Listener
	server   *http.Server
	pipe     *os.File // the end that it writes its log to

	next     chan *invocation    // to a request for the next one
	answered chan functionResult // holds one
	marked   chan struct{}       // holds one
	ended    chan struct{}       // closed when the process is gone and its log is read

	mu        sync.Mutex // guards what follows
	current   *invocation
	out       functionLog
	initError []byte // what it said about its own start
	exit      error
}

// ask has a process answer a call.
func (f *function) ask(in *invocation) functionResult {
	ctx := f.e.functions.ctx
	for {
		p, reused, err := f.acquire()
		if err != nil {
			return failed("Runtime.InvalidEntrypoint", "RequestId: %s Error: %v", in.id, err)
		}
		p.mu.Lock()
		p.current = in
		p.mu.Unlock()
		starting := time.NewTimer(initTimeout)
		select {
		case p.next <- in:
			starting.Stop()
			return f.await(p, in)
		case <-p.ended:
			starting.Stop()
			if reused {
				continue // it went while nobody looked
			}
			return p.crashed(in)
		case <-starting.C:
			p.kill()
			<-p.ended
			_, _ = in.log.Write(p.out.take())
			return failed("Sandbox.Timedout", "RequestId: %s Error: Task timed out after %.2f seconds", in.id, initTimeout.Seconds())
		case <-ctx.Done():
			starting.Stop()
			p.kill()
			return failed("Sandbox.Failure", "The endpoint is closing.")
		}
	}
}

// await waits for a process that has the call.
func (f *function) await(p *process, in *invocation) functionResult {
	limit := time.NewTimer(f.opt.Timeout)
	defer limit.Stop()
	select {
	case result := <-p.answered:
		p.drain()
		_, _ = in.log.Write(p.out.take())
		f.release(p)
		return result
	case <-p.ended:
		select {
		case result := <-p.answered: // and then it ended
			_, _ = in.log.Write(p.out.take())
			return result
		default:
		}
		return p.crashed(in)
	case <-limit.C:
		p.kill()
		<-p.ended
		_, _ = in.log.Write(p.out.take())
		return f.timedOut(in)
	case <-f.e.functions.ctx.Done():
		p.kill()
		return failed("Sandbox.Failure", "The endpoint is closing.")
	}
}

// crashed is the answer for a process that has ended without one.
func (p *process) crashed(in *invocation) functionResult {
	_, _ = in.log.Write(p.out.take())
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.initError != nil {
		return functionResult{p.initError, unhandled}
	}
	if p.exit != nil {
		return failed("Runtime.ExitError", "RequestId: %s Error: Runtime exited with error: %v", in.id, p.exit)
	}
	return failed("Runtime.ExitError", "RequestId: %s Error: Runtime exited without providing a reason", in.id)
}

// acquire returns a process without a call: one that waits, or a new one. The caller holds a slot, so there are never
// more than the function may have.
func (f *function) acquire() (p *process, reused bool, err error) {
	f.mu.Lock()
	if n := len(f.idle); n > 0 {
		p, f.idle = f.idle[n-1], f.idle[:n-1]
	}
	f.mu.Unlock()
	if p != nil {
		return p, true, nil
	}
	p, err = f.launch()
	return p, false, err
}

// release keeps a process for the next call.
func (f *function) release(p *process) {
	f.mu.Lock()
	keep := !f.gone && f.e.functions.ctx.Err() == nil
	if keep {
		f.idle = append(f.idle, p)
	}
	f.mu.Unlock()
	if !keep {
		p.kill()
	}
}

// launch starts a process.
func (f *function) launch() (*process, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the Runtime API: %w", err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("making a pipe for the log: %w", err)
	}
	p := &process{
		f: f, listener: listener, pipe: write, next: make(chan *invocation), answered: make(chan functionResult, 1), marked: make(chan struct{}, 1),
		ended: make(chan struct{}), cmd: exec.Command(f.opt.Command[0], f.opt.Command[1:]...),
	}
	p.server = &http.Server{Handler: p.runtimeAPI(), ReadHeaderTimeout: 30 * time.Second}
	p.cmd.Stdout, p.cmd.Stderr = write, write
	p.cmd.Env = append(f.environment(listener.Addr().String()), f.opt.Environment...)
	if !f.e.functions.begin() {
		err = errors.New("the endpoint is closing")
	} else if err = p.cmd.Start(); err != nil {
		f.e.functions.running.Done()
	}
	if err != nil {
		_ = listener.Close()
		_ = read.Close()
		_ = write.Close()
		return nil, err
	}
	f.mu.Lock()
	f.all[p] = struct{}{}
	f.counts.Started++
	f.mu.Unlock()
	go p.live(read)
	return p, nil
}

// environment is what Lambda tells a program ("Defined runtime environment variables" of the developer guide).
func (f *function) environment(api string) []string {
	memory := strconv.Itoa(f.opt.MemoryMB)
	return []string{
		"AWS_LAMBDA_RUNTIME_API=" + api, "AWS_LAMBDA_FUNCTION_NAME=" + f.opt.Name, "AWS_LAMBDA_FUNCTION_VERSION=" + latest,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=" + memory, "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/" + f.opt.Name, "AWS_LAMBDA_LOG_STREAM_NAME=local",
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand", "AWS_EXECUTION_ENV=AWS_Lambda_provided.al2023", "AWS_REGION=" + f.e.opt.Region,
		"AWS_DEFAULT_REGION=" + f.e.opt.Region, "_HANDLER=bootstrap", "TZ=:UTC", "LANG=en_US.UTF-8", "PATH=/usr/local/bin:/usr/bin:/bin",
		"TMPDIR=" + os.TempDir(),
	}
}

// live serves a process until it has ended.
func (p *process) live(read *os.File) {
	defer p.f.e.functions.running.Done()
	served, logged := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(served)
		_ = p.server.Serve(p.listener) // ends with ErrServerClosed
	}()
	go func() {
		defer close(logged)
		p.readLog(read)
	}()
	exit := p.cmd.Wait()
	_ = p.pipe.Close()
	_ = read.SetReadDeadline(time.Now().Add(logWait)) // a child of its own may hold the pipe open
	<-logged
	_ = read.Close()
	_ = p.server.Close()
	<-served
	p.mu.Lock()
	p.exit = exit
	p.mu.Unlock()
	p.f.mu.Lock()
	delete(p.f.all, p)
	p.f.mu.Unlock()
	close(p.ended)
}

// kill ends the process at once; live does the rest.
func (p *process) kill() { _ = p.cmd.Process.Kill() }

// readLog takes what the process writes, and our marks in it.
func (p *process) readLog(read *os.File) {
	r := bufio.NewReaderSize(read, 64<<10)
	for {
		line, err := r.ReadSlice('\n')
		if rest, ok := bytes.CutSuffix(line, []byte(logMark)); ok {
			_, _ = p.out.Write(rest)
			select {
			case p.marked <- struct{}{}:
			default:
			}
			continue
		}
		_, _ = p.out.Write(line)
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// drain waits until all that the process wrote so far has been read: what we write to its pipe comes behind that.
func (p *process) drain() {
	select {
	case <-p.marked: // of a wait that was given up
	default:
	}
	if _, err := p.pipe.WriteString(logMark); err != nil {
		return // it has ended
	}
	timer := time.NewTimer(logWait)
	defer timer.Stop()
	select {
	case <-p.marked:
	case <-p.ended:
	case <-timer.C:
	}
}

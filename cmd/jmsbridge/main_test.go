package main

import (
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// everyCommand calls visit with root and all that is below it, what cobra adds included.
func everyCommand(visit func(c *cobra.Command)) {
	root := newRootCommand(strings.NewReader(""), io.Discard, io.Discard)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		visit(c)
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
}

// Each line of an example can be pasted into a shell, and shows the command whose help it stands in.
func TestEveryCommandsHelpHasExamples(t *testing.T) {
	seen := map[string]bool{}
	everyCommand(func(c *cobra.Command) {
		path := c.CommandPath()
		seen[path] = true
		if c.Example == "" {
			t.Errorf("%s has no example", path)
			return
		}
		for line := range strings.Lines(c.Example) {
			if !regexp.MustCompile(`^  (source <\()?` + path + `( |\)|$)`).MatchString(strings.TrimSuffix(line, "\n")) {
				t.Errorf("%s has the example %q", path, line)
			}
		}
		args := append(strings.Fields(path)[1:], "--help")
		code, out, errs := command(t, args...)
		if code != exitDone || errs != "" || !strings.Contains(out, "\nExamples:\n"+c.Example+"\n") {
			t.Errorf("%s: exit code %d\n%s%s", strings.Join(args, " "), code, out, errs)
		}
	})
	for _, path := range []string{
		"", " run", " check", " test", " demo", " send", " receive", " schema", " version", " help",
		" completion", " completion bash", " completion zsh", " completion fish", " completion powershell",
	} {
		if !seen["jmsbridge"+path] {
			t.Errorf("there is no command jmsbridge%s", path)
		}
	}
}

func TestCompletionPrintsTheScriptOfEachShell(t *testing.T) {
	for shell, want := range map[string]string{
		"bash":       "complete -o default -F __start_jmsbridge jmsbridge",
		"zsh":        "#compdef jmsbridge",
		"fish":       "complete -c jmsbridge",
		"powershell": "Register-ArgumentCompleter -CommandName 'jmsbridge'",
	} {
		code, out, errs := command(t, "completion", shell)
		if code != exitDone || errs != "" || !strings.Contains(out, want) {
			t.Errorf("%s: exit code %d, %s, %d bytes without %q", shell, code, errs, len(out), want)
		}
		broken := writerFunc(func([]byte) (int, error) { return 0, errPipe })
		var complaint strings.Builder
		code = run(t.Context(), []string{"completion", shell}, nil, broken, &complaint)
		if code != exitFailed || !strings.Contains(complaint.String(), errPipe.Error()) {
			t.Errorf("%s to a closed pipe: exit code %d, %s", shell, code, complaint.String())
		}
	}
}

func TestCompletionWithoutAShellIsItsHelp(t *testing.T) {
	_, want, _ := command(t, "completion", "--help")
	if code, out, errs := command(t, "completion"); code != exitDone || out != want || errs != "" {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

// Scripts and service managers know the numbers, and the other tests the names.
func TestExitCodesAreTheDocumentedNumbers(t *testing.T) {
	got := []int{exitDone, exitFailed, exitUsage, exitInterrupted, exitTerminated}
	if diff := cmp.Diff([]int{0, 1, 2, 130, 143}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWrongUsageOfTheProgram(t *testing.T) {
	for _, tc := range []struct {
		args, errs string
	}{
		{"rnu", `unknown command "rnu"`},
		{"--frob", "--frob"},
		{"completion tcsh", `unknown command "tcsh"`},
		{"completion bash zsh", "unknown command"},
		{"version 2", "unknown command"},
		{"help nosuch", `there is no command "nosuch"`},
		{"help run nosuch", `there is no command "run nosuch"`},
	} {
		if code, out, errs := command(t, strings.Fields(tc.args)...); code != exitUsage || out != "" || !strings.Contains(errs, tc.errs) {
			t.Errorf("%s: exit code %d, %s%s", tc.args, code, out, errs)
		}
	}
}

func TestHelpOfACommandIsWhatTheCommandPrints(t *testing.T) {
	for _, args := range []string{"", "run", "completion bash"} {
		code, out, errs := command(t, append([]string{"help"}, strings.Fields(args)...)...)
		_, want, _ := command(t, append(strings.Fields(args), "--help")...)
		if code != exitDone || errs != "" || out != want {
			t.Errorf("help %s: exit code %d, %s%s", args, code, out, errs)
		}
	}
}

// A command's plain error means 1, wherever in the tree it stands; cobra's own means 2.
func TestPlainErrorsOfCommandsAreFailures(t *testing.T) {
	errPlain := errors.New("plain")
	root := &cobra.Command{Use: "jmsbridge", SilenceErrors: true, SilenceUsage: true}
	group := &cobra.Command{Use: "group"}
	group.AddCommand(&cobra.Command{Use: "sub", RunE: func(*cobra.Command, []string) error { return errPlain }, Args: cobra.NoArgs})
	root.AddCommand(group)
	root.SetErr(io.Discard)
	failAll(root)
	if code := runCommand(t.Context(), root, []string{"group", "sub"}); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	if code := runCommand(t.Context(), root, []string{"group", "sub", "more"}); code != exitUsage {
		t.Errorf("exit code %d", code)
	}
}

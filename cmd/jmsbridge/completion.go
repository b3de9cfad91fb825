package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// cobraExamples are the examples of the commands that cobra brings.
var cobraExamples = map[string]string{
	"jmsbridge help": `  jmsbridge help
  jmsbridge help receive`,
	"jmsbridge completion": `  source <(jmsbridge completion bash)     # for this shell; see the help of each shell for the next ones`,
	"jmsbridge completion bash": `  source <(jmsbridge completion bash)
  jmsbridge completion bash > /etc/bash_completion.d/jmsbridge`,
	"jmsbridge completion zsh": `  source <(jmsbridge completion zsh)
  jmsbridge completion zsh > "${fpath[1]}/_jmsbridge"`,
	"jmsbridge completion fish": `  jmsbridge completion fish | source
  jmsbridge completion fish > ~/.config/fish/completions/jmsbridge.fish`,
	"jmsbridge completion powershell": `  jmsbridge completion powershell | Out-String | Invoke-Expression`,
}

// addCobraCommands adds help and completion, which cobra would add later, to give them examples. root has its output
// already: completion writes to the one that root has now.
func addCobraCommands(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	addExamples(root)
	for _, c := range root.Commands() {
		if c.Name() == "help" { // cobra's own succeeds at what it does not know
			c.RunE = helpOf
		}
		if c.Name() == "completion" { // runnable, so that cobra refuses a shell that it does not know
			c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
		}
	}
}

// helpOf prints the help of the command that args name.
func helpOf(c *cobra.Command, args []string) error {
	about, rest, err := c.Root().Find(args)
	if err != nil || len(rest) > 0 {
		return usage(fmt.Errorf("there is no command %q; see '%s --help'", strings.Join(args, " "), c.Root().Name()))
	}
	about.InitDefaultHelpFlag() // so that it is listed
	return about.Help()
}

func addExamples(c *cobra.Command) {
	if c.Example == "" {
		c.Example = cobraExamples[c.CommandPath()]
	}
	for _, sub := range c.Commands() {
		addExamples(sub)
	}
}

package brokers

// User is an account that every test broker has.
type User struct {
	Name     string `json:"name"`
	Password string `json:"password"`
	// Role is the group of the account: apps may do everything with destinations, readers only read, writers only
	// write, admins everything and management besides.
	Role string `json:"role"`
}

// The accounts. The passwords are unmistakable, so that a test can look for them in logs.
var (
	App    = User{Name: "app", Password: "app-pw-b4Zq81", Role: "apps"}
	Reader = User{Name: "reader", Password: "reader-pw-k7Tn02", Role: "readers"}
	Writer = User{Name: "writer", Password: "writer-pw-u3Xe55", Role: "writers"}
	Admin  = User{Name: "admin", Password: "admin-pw-c9Lm37", Role: "admins"}
)

// Users are all accounts.
func Users() []User { return []User{App, Reader, Writer, Admin} }

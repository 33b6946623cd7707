"""Pages: server-rendered, without JavaScript, for people who have logged in. They read and change no instance."""

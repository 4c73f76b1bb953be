"""What is known of the apps that own phones, shared by the bench that sets them up and the server that answers them."""
